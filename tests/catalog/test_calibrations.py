"""A calibration is read as it was written, and a constant without evidence is refused."""

from pathlib import Path

import pytest

from tianji.catalog.calibrations import (
    bounds_of,
    format_calibration,
    list_calibrations,
    load_calibration,
    write_calibration,
)
from tianji.errors import FormatError
from tianji.hardware.calibration import Calibration, Evidence
from tianji.hardware.constants import Constants

CONSTANTS = '[chips."X".constants]\nmatmul_efficiency = 0.5\n'
EVIDENCE = '[chips."X".evidence]\nmatmul_efficiency = { tier = "measured", rows = 3, source = "a test" }\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text('name = "mine"\n' + text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", list_calibrations())
def test_every_shipped_calibration_survives_writing(name: str, tmp_path: Path) -> None:
    found = load_calibration(name)
    write_calibration(found, tmp_path / "again.toml")
    again = load_calibration(tmp_path / "again.toml")
    assert again.chips == found.chips and again.correlations == found.correlations
    assert format_calibration(again) == format_calibration(found)


def test_none_is_pure_physics() -> None:
    assert load_calibration("none").chips == {}
    assert "none" in list_calibrations()


def test_constants_come_with_their_evidence(tmp_path: Path) -> None:
    found = load_calibration(written(tmp_path, CONSTANTS + EVIDENCE))
    assert found.chips["X"] == Constants(matmul_efficiency=0.5)
    assert found.evidence["X"]["matmul_efficiency"] == Evidence("measured", 3, "a test")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CONSTANTS, "matmul_efficiency has no evidence"),
        ('[chips."X".constants]\n' + EVIDENCE, "there is evidence for matmul_efficiency, but no value"),
        (CONSTANTS.replace("0.5", "1.5") + EVIDENCE, "expected a number from 0.001 to 1, got 1.5"),
        (CONSTANTS.replace("0.5", '"half"') + EVIDENCE, "expected a plain number in SI units"),
        ('[chips."Y"]\ninherited_from = "X"\n', "'X' has no constants in this file"),
        (
            '[correlations.straggle]\n"X.straggle" = 0.5\n',
            "expected a chip or a trait, a dot and a constant, got 'straggle'",
        ),
        ('[correlations."X.straggle"]\n"X.op_overhead" = 1.5\n', "expected a number from -1 to 1, got 1.5"),
        ('[correlations."X.straggle"]\n"X.straggle" = -1.0\n', "expected each pair of two once"),
        (
            '[correlations."X.straggle"]\n"Y.straggle" = 0.5\n[correlations."Y.straggle"]\n"X.straggle" = 0.5\n',
            "expected each pair of two once",
        ),
        ("[software.mine]\nactivation_overhead = { factor = 1.1 }\n", "activation_overhead"),
        ('[chips."X".spread]\ndense = { low = 1.1, high = 1.3 }\n', "expected low <= 1 <= high"),
        ('[chips."X".spread]\nnear = { low = 1.2, high = 0.9 }\n', "near"),
    ],
)
def test_what_cannot_be_used_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=said):
        load_calibration(written(tmp_path, text))


def test_a_constant_without_evidence_is_not_written(tmp_path: Path) -> None:
    bare = Calibration(name="bare", chips={"X": Constants(straggle=0.1)})
    with pytest.raises(FormatError, match=r"X\.straggle has no evidence"):
        write_calibration(bare, tmp_path / "bare.toml")


@pytest.mark.parametrize(
    ("constant", "expected"),
    [
        ("straggle", (0, 1)),
        ("memory_efficiency", (0.001, 1)),
        ("scale_up_latency", (0, 1)),
        ("all_reduce_factor", (0.1, 100)),
    ],
)
def test_bounds(constant: str, expected: tuple[float, float]) -> None:
    assert bounds_of(constant) == expected
