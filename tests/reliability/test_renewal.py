"""Daly's renewal form: published examples, and an optimum that no neighbour beats."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import lambertw
from tests.reliability.samples import EXAMPLES

from tianji.reliability import best_interval, efficiency
from tianji.units import DAY

NODES = 131_072 // 8
RATES = (2.34e-3, 3.79e-3, 6.5e-3)

spans = st.floats(min_value=1e-3, max_value=1e6)


def at_best(save: float, recovery: float, mtbf: float) -> float:
    return efficiency(best_interval(save, mtbf), save, recovery, mtbf)


@EXAMPLES
def test_examples(save: float, recovery: float, mtbf: float, expected: float) -> None:
    assert at_best(save, recovery, mtbf) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(
    ("save", "recovery", "expected"), [(60, 600, (0.60, 0.48, 0.32)), (1, 150, (0.91, 0.86, 0.79))]
)
def test_one_synchronous_job_of_131072_chips(save: float, recovery: float, expected: tuple[float, ...]) -> None:
    found = [round(at_best(save, recovery, DAY / (NODES * rate)), 2) for rate in RATES]
    assert found == list(expected)


@given(save=spans, mtbf=spans, recovery=spans, factor=st.floats(min_value=0.2, max_value=5.0))
def test_no_other_interval_is_better(save: float, mtbf: float, recovery: float, factor: float) -> None:
    best = best_interval(save, mtbf)
    other = efficiency(best * factor, save, recovery, mtbf)
    assert other <= efficiency(best, save, recovery, mtbf) * (1 + 1e-12)


@given(save=spans, mtbf=st.floats(min_value=1.0, max_value=1e6))
def test_the_interval_is_lamberts(save: float, mtbf: float) -> None:
    ratio = save / mtbf
    expected = mtbf * (1 + float(lambertw(-math.exp(-1 - ratio)).real))
    # Near its branch point Lambert's W itself keeps only half of the digits.
    assert best_interval(save, mtbf) == pytest.approx(expected, rel=1e-6, abs=1e-7 * mtbf)


@given(save=spans, mtbf=spans)
def test_the_efficiency_at_the_optimum_has_a_short_form(save: float, mtbf: float) -> None:
    share = best_interval(save, mtbf) / mtbf
    assert efficiency(share * mtbf, save, 0.0, mtbf) == pytest.approx(1 - share, rel=1e-6, abs=1e-12)


def test_for_rare_failures_it_is_youngs() -> None:
    assert best_interval(60, 1e9) == pytest.approx(math.sqrt(2 * 60 * 1e9), rel=1e-3)


def test_a_save_that_costs_nothing_is_made_as_often_as_possible() -> None:
    assert best_interval(0.0, 1000.0) == 0.0
    assert best_interval(0.0, 1000.0, least=3.0) == 3.0


def test_what_never_completes_has_no_progress() -> None:
    assert efficiency(1e9, 60, 600, 1.0) == 0.0


def meta(chips: int, rate: float, save: float, restart: float, interval: float | None = None) -> float:
    """Return the effective training time ratio of a job at a rate of failures of an 8-chip node in a day."""
    mtbf = DAY / (chips / 8 * rate)
    return efficiency(interval or best_interval(save, mtbf), save, restart, mtbf)


def test_meta_rsc_1_keeps_nine_tenths_at_hourly_checkpoints() -> None:
    # arXiv 2410.21680: jobs of 2,048 to 4,096 chips on RSC-1 average over 0.9 with an interval of an hour, assumed not to block.
    assert all(0.9 < meta(chips, 6.5e-3, 1e-3, 300, interval=3600) < 0.97 for chips in (2048, 4096))


def test_meta_needs_saves_of_ten_seconds_for_nine_tenths_at_12000_chips() -> None:
    # The same: at 12,000 chips of RSC-1 a save must take about 10 s, or the rate must fall from 6.50 to about 1.
    assert meta(12_000, 6.5e-3, 10, 300) > 0.9
    assert meta(12_000, 6.5e-3, 60, 300) < 0.9
    assert meta(12_000, 1e-3, 60, 300) > 0.9


def test_meta_needs_two_minutes_for_nine_tenths_at_100000_chips() -> None:
    # The same: with RSC-2's rate, intervals and restarts must come down to about 2 min.
    assert meta(100_000, 2.34e-3, 1e-3, 120, interval=120) > 0.9
    assert meta(100_000, 2.34e-3, 1e-3, 300, interval=300) < 0.9
