"""Laws of the nouns: nesting, ranges and corrections behave for any figures."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import CHIP, figure, pool, tier
from tianji.catalog import list_failure_profiles, load_failures
from tianji.hardware.calibration import CLASSES, OTHER, Calibration, Effect, Footprint, Spread
from tianji.hardware.constants import CONSTANT_NAMES, CONSTANTS, MEMORY_CONSTANTS, Constants
from tianji.hardware.mixture import Mixture

SIZES = st.lists(st.integers(2, 8), min_size=1, max_size=4)
EFFECTS = tuple(name for name in CONSTANT_NAMES if name not in MEMORY_CONSTANTS)
FACTORS = st.floats(0.1, 10.0)


@given(SIZES, st.integers(1, 100_000))
def test_spans_never_fall_and_end_with_the_pool(steps: list[int], chips: int) -> None:
    tiers = [tier(str(i), int(np.prod(steps[: i + 1])), 1.0) for i in range(len(steps))]
    spans = pool(chips, *tiers).spans()
    assert list(spans) == sorted(spans)
    assert spans[-1] == chips
    assert all(span <= chips for span in spans)
    assert pool(7, *tiers).with_chips(chips).spans() == spans, "the number of chips alone decides"


@given(st.floats(1.0, 1e12), st.floats(1.0, 100.0))
def test_oversubscription_and_rate_are_inverse(rate: float, over: float) -> None:
    assert replace(tier("up", 8, rate), oversubscription=over).rate("x") * over == pytest.approx(rate)


@given(st.lists(st.integers(1, 10_000), min_size=2, max_size=5))
def test_a_mixture_has_the_chips_of_its_parts(sizes: list[int]) -> None:
    mixture = Mixture("m", "m", tuple(pool(n) for n in sizes), tier("joint", 0, 1.0))
    assert mixture.chips == sum(sizes)


@given(st.floats(1e-3, 1e3), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_figures_cases_are_ordered_and_a_figure_without_a_span_has_one(
    value: float, below: float, above: float
) -> None:
    bracketed = replace(figure(value), low=value * (1 - below), high=value * (1 + above))
    assert bracketed.at("low") <= bracketed.at("nominal") <= bracketed.at("high")
    assert {figure(value).at(case) for case in ("low", "nominal", "high")} == {value}


@pytest.mark.parametrize("name", list_failure_profiles())
def test_the_causes_of_a_profile_share_out_all_events(name: str) -> None:
    profile = load_failures(name)
    assert sum(share for _, _, share in profile.shares) == pytest.approx(1.0)
    assert len({(component, per) for component, per, _ in profile.shares}) == len(profile.shares)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(EFFECTS), FACTORS), max_size=6))
def test_the_effects_of_traits_multiply_in_any_order_and_stay_within_what_can_be(
    drawn: list[tuple[str, str, float]],
) -> None:
    software: dict[str, dict[str, Effect]] = {"a": {}, "b": {}, "c": {}}
    for trait, name, factor in drawn:
        software[trait][name] = Effect(factor)
    start = Constants(matmul_efficiency=0.7, op_overhead=1e-5, straggle=0.01)
    calibration = Calibration(chips={CHIP.name: start}, software=software)
    ways = [calibration.constants(CHIP, traits) for traits in (("a", "b", "c"), ("c", "a", "b"))]
    for name in EFFECTS:
        product = float(np.prod([effects[name].factor for effects in software.values() if name in effects]))
        expected = (
            min(getattr(start, name) * product, CONSTANTS[name].ceiling) if product != 1.0 else getattr(start, name)
        )
        assert [getattr(c, name) for c in ways] == pytest.approx([expected, expected], rel=1e-12)


@given(st.floats(0.1, 1.0), st.floats(1.0, 10.0), st.integers(1, 4096), st.integers(1, 10**6), st.floats(0.0, 3.0))
def test_a_range_holds_the_nominal_value_and_never_narrows(
    low: float, high: float, measured: int, chips: int, deviation: float
) -> None:
    spread = Spread(low, high, "measured", 10, measured)
    calibration = Calibration(spreads={CHIP.name: dict.fromkeys(CLASSES, spread)})
    wide = calibration.spread(CHIP, chips=chips, traits=())
    assert wide.low <= low <= 1.0 <= high <= wide.high
    more = calibration.spread(CHIP, chips=2 * chips, traits=())
    assert more.low <= wide.low <= wide.high <= more.high
    doubted = wide.doubted(deviation)
    assert doubted.low <= wide.low * (1 + 1e-12)
    assert doubted.high >= wide.high * (1 - 1e-12)


def test_a_chip_without_constants_has_those_of_its_relative_then_of_an_unknown_chip_then_physics() -> None:
    own, relative, other = (Constants(matmul_efficiency=e) for e in (0.5, 0.6, 0.7))
    chip = replace(CHIP, relative="cousin")
    for chips, expected in (
        ({CHIP.name: own, "cousin": relative, OTHER: other}, own),
        ({"cousin": relative, OTHER: other}, relative),
        ({OTHER: other}, other),
        ({}, Constants()),
    ):
        assert Calibration(chips=chips).constants(chip) == expected


def test_software_that_is_not_known_holds_what_its_ecosystem_does() -> None:
    known, usual = Footprint(1.1, 1e9, 1e6), Footprint(1.2, 2e9, 2e6)
    calibration = Calibration(memory={"megatron-lm": known, CHIP.ecosystem: usual})
    assert calibration.footprint(CHIP, ("nobody's",)) == usual
    assert calibration.footprint(CHIP, ("nobody's", "megatron-lm")) == known
    assert Calibration().footprint(CHIP) == Footprint()
    held = calibration.constants(CHIP, ("megatron-lm",))
    assert [getattr(held, name) for name in MEMORY_CONSTANTS] == [1.1, 1e9, 1e6]
