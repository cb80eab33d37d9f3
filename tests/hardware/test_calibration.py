"""Corrections go to the chip they were fitted on, then to its relatives, else there are none."""

from dataclasses import replace

from samples import CHIP
from tianji.hardware.calibration import Calibration, Constants, Spread

SLOW = Constants(matmul_efficiency=0.5)


def test_without_a_calibration_there_is_pure_physics() -> None:
    assert Calibration().constants(CHIP) == Constants()
    assert Calibration().spread(CHIP) == Spread()


def test_a_chip_has_its_own_before_its_relatives() -> None:
    kin = replace(CHIP, name="kin", relative="round")
    ranges = {"dense": Spread(0.9, 1.2), "dense-unknown": Spread(0.8, 1.3)}
    both = Calibration(
        chips={"round": SLOW, "kin": Constants(straggle=0.1)},
        spreads={"round": ranges},
    )
    assert both.constants(CHIP) == SLOW
    assert both.constants(kin).straggle == 0.1
    assert both.spread(kin) == Spread(0.8, 1.3), "no software was stated"


def test_a_relative_lends_its_own() -> None:
    kin = replace(CHIP, name="kin", relative="round")
    assert Calibration(chips={"round": SLOW}).constants(kin) == SLOW
    assert Calibration(chips={"round": SLOW}).constants(replace(CHIP, name="stranger")) == Constants()


def test_a_host_that_waits_for_each_op_blocks() -> None:
    given = Calibration(chips={CHIP.name: SLOW})
    assert given.constants(CHIP, ("bigscience", "launch-blocking")) == replace(SLOW, op_blocking=1.0)
    assert given.constants(CHIP, ("bigscience",)) == SLOW
