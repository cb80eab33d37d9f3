"""Corrections go to the chip they were fitted on, then to its relatives, else there are none."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import CHIP
from tianji.hardware.calibration import UNSEEN, UNSEEN_MIXTURE, Calibration, Effect, Evidence, Spread
from tianji.hardware.constants import CONSTANT_NAMES, Constants
from tianji.hardware.software import Software
from tianji.hardware.uncertainty import DOUBTED, combine

SLOW = Constants(matmul_efficiency=0.5)


def test_without_a_calibration_there_is_pure_physics() -> None:
    assert Calibration().constants(CHIP) == Constants()
    assert Calibration().spread(CHIP) == Spread()


def test_a_chip_has_its_own_before_its_relatives() -> None:
    kin = replace(CHIP, name="kin", relative="round")
    ranges = {"dense": Spread(0.8, 1.3)}
    both = Calibration(
        chips={"round": SLOW, "kin": Constants(straggle=0.1)},
        spreads={"round": ranges},
    )
    assert both.constants(CHIP) == SLOW
    assert both.constants(kin).straggle == 0.1
    assert both.spread(kin) == Spread(0.8, 1.3)


def test_a_framework_that_is_not_known_widens_the_range_by_what_frameworks_differ() -> None:
    fitted = Calibration(
        spreads={CHIP.name: {"dense": Spread(0.9, 1.2, "measured")}},
        software={UNSEEN: {"software": Effect(1.0, 0, 0.1)}, "megatron-lm": {}},
    )
    sure, unsure = fitted.spread(CHIP, traits=("megatron-lm",)), fitted.spread(CHIP, traits=("nobody",))
    assert (sure.low, sure.high) == (0.9, 1.2)
    assert unsure == sure.doubted(0.1) == fitted.spread(CHIP) and unsure.low < sure.low < sure.high < unsure.high


def test_a_mixture_takes_what_its_runs_took_and_a_stranger_is_doubted() -> None:
    fitted = Calibration(
        chips={CHIP.name: Constants()},
        spreads={CHIP.name: {"dense": Spread(0.9, 1.2, "measured"), "moe": Spread(0.9, 1.2, "measured")}},
        software={
            "nemo": {}, f"nemo@{CHIP.name}": {}, "nemo/grok1": {"software": Effect(1.2, 9, 0.05)},
            UNSEEN_MIXTURE: {"software": Effect(1.0, 0, 0.08)},
        },
    ).under(Software("nemo"))  # fmt: skip
    known, strange, dense = fitted.training("grok1"), fitted.training(""), fitted.training(None)
    assert [c.constants(CHIP).software for c in (known, strange, dense)] == pytest.approx([1.2, 1.0, 1.0])
    sure = dense.spread(CHIP, moe=True)
    assert known.spread(CHIP, moe=True) == sure and strange.spread(CHIP, moe=True) == sure.doubted(0.08)
    assert fitted.constants(CHIP, known.traits_on(CHIP)[:-1]) == known.constants(CHIP)
    assert known.training("grok1") is known


def test_the_doubt_about_a_plan_joins_its_chips_constants_and_the_effects_of_its_software() -> None:
    proofs = {
        "matmul_efficiency": Evidence("fitted", 9, standard_error=0.1),
        "straggle": Evidence("fitted", 9, standard_error=0.3, inherited_from="kin"),
        "memory_efficiency": Evidence("physics", standard_error=5.0),
    }
    fitted = Calibration(
        evidence={CHIP.name: proofs},
        software={"megatron-lm": {"matmul_efficiency": Effect(1.1, 9, 0.2), "software": Effect(0.9, 9, 0.05)}},
        correlations={(CHIP.name, "matmul_efficiency"): {("megatron-lm", "matmul_efficiency"): -0.5}},
    )
    alone, together = fitted.doubt(CHIP, ()), fitted.doubt(CHIP, ("megatron-lm", "unheard-of"))
    assert alone.names == ("matmul_efficiency", "straggle")
    assert together.names == ("matmul_efficiency", "software", "straggle")
    expected = DOUBTED**2 * np.diag([0.1**2 + 0.2**2 - 2 * 0.5 * 0.1 * 0.2, 0.05**2, 0.3**2])
    assert together.covariance == pytest.approx(expected)
    assert fitted.doubt(replace(CHIP, name="stranger")).names == ()


def test_what_is_inherited_twice_is_doubted_with_those_whose_runs_set_it() -> None:
    def proof(origin: str) -> dict[str, Evidence]:
        return {"straggle": Evidence("fitted", standard_error=0.3, inherited_from=origin)}

    own = {n: Evidence("fitted", standard_error=e) for n, e in {"straggle": 0.3, "op_overhead": 0.4}.items()}
    shared = {("first", "straggle"): {("trait", "straggle"): -1.0}}
    fitted = Calibration(
        evidence={"first": own, "second": proof("first"), CHIP.name: proof("second")},
        software={"trait": {"straggle": Effect(1.0, 1, 0.3)}},
        correlations=shared,
    )
    assert fitted.doubt(CHIP, ("trait",)).covariance == pytest.approx(np.zeros((1, 1)))
    loop = Calibration(evidence={"first": proof(CHIP.name), CHIP.name: proof("first")})
    assert loop.doubt(CHIP, ()).names == ("straggle",)


def test_constants_of_memory_cost_no_time() -> None:
    proofs = {"activation_overhead": Evidence("fitted", 9, standard_error=0.1)}
    assert Calibration(evidence={CHIP.name: proofs}).doubt(CHIP).names == ()


def test_correlations_that_cannot_be_make_no_negative_variance() -> None:
    unknowns = [("chip", name) for name in CONSTANT_NAMES[:3]]
    impossible = {a: {b: -0.9 for b in unknowns[i + 1 :]} for i, a in enumerate(unknowns)}
    doubt = combine(dict.fromkeys(unknowns, 1.0), impossible)
    assert np.linalg.eigvalsh(doubt.covariance).min() >= -1e-12
    assert doubt.deviation(np.ones(3)) >= 0


def test_a_doubt_beyond_all_measure_stays_a_number() -> None:
    spread = Spread(0.9, 1.1, "measured").doubted(1e12)
    assert (spread.low, spread.high) == pytest.approx((0.01, 100.0))
    assert Spread().doubted(1.0) == Spread(), "nothing is known of this range"


def test_a_framework_that_is_not_known_may_change_constants() -> None:
    effects = {"software": Effect(1.0, 0, 0.1), "op_overhead": Effect(1.0, 0, 0.5)}
    fitted = Calibration(software={UNSEEN: effects, "megatron-lm": {}}, reference={CHIP.ecosystem: ("megatron-lm",)})
    assert fitted.doubt(CHIP).names == fitted.doubt(CHIP, ("megatron-lm",)).names == ()
    assert fitted.doubt(CHIP, ("nobody",)).names == fitted.doubt(CHIP, ()).names == ("op_overhead",)


@given(low=st.floats(0.3, 1.0), high=st.floats(1.0, 3.0), one=st.floats(0.0, 1.0), more=st.floats(0.0, 1.0))
def test_doubt_never_narrows_a_range(low: float, high: float, one: float, more: float) -> None:
    spread = Spread(low, high, "measured")
    assert spread.doubted(0.0) == spread
    less, doubted = spread.doubted(one), spread.doubted(one + more)
    assert doubted.low <= less.low <= low + 1e-12 and high - 1e-12 <= less.high <= doubted.high


@given(size=st.integers(1, 6), seed=st.integers(0, 99))
def test_the_deviation_is_that_of_a_sum_of_correlated_errors(size: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    root = random.normal(size=(size, size))
    covariance = root @ root.T
    errors = np.sqrt(np.diag(covariance))
    unknowns = [("chip", name) for name in CONSTANT_NAMES[:size]]
    known = covariance / np.outer(errors, errors)
    pairs = {a: {b: known[i, j] for j, b in enumerate(unknowns) if j > i} for i, a in enumerate(unknowns)}
    doubt = combine(dict(zip(unknowns, errors, strict=True)), pairs)
    slopes = random.normal(size=size)
    order = [CONSTANT_NAMES.index(name) for name in doubt.names]
    assert doubt.deviation(slopes[order]) == pytest.approx(DOUBTED * np.sqrt(slopes @ covariance @ slopes))


def test_a_relative_lends_its_own() -> None:
    kin = replace(CHIP, name="kin", relative="round")
    assert Calibration(chips={"round": SLOW}).constants(kin) == SLOW
    assert Calibration(chips={"round": SLOW}).constants(replace(CHIP, name="stranger")) == Constants()


def test_a_host_that_waits_for_each_op_blocks() -> None:
    fitted = Calibration(chips={CHIP.name: SLOW})
    assert fitted.constants(CHIP, ("bigscience", "launch=blocking")) == replace(SLOW, op_blocking=1.0)
    assert fitted.constants(CHIP, ("bigscience",)) == SLOW
