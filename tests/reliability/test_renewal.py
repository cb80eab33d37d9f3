"""Daly's renewal form: published examples, and an optimum that no neighbour beats."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import lambertw

from tianji.reliability import best_interval, efficiency
from tianji.units import DAY

NODES = 131_072 // 8
RATES = (2.34e-3, 3.79e-3, 6.5e-3)

spans = st.floats(min_value=1e-3, max_value=1e6)


def at_best(save: float, recovery: float, mtbf: float) -> float:
    return efficiency(best_interval(save, mtbf), save, recovery, mtbf)


@pytest.mark.parametrize(
    ("save", "recovery", "mtbf", "expected"),
    [
        (60, 600, 8424, 0.8245),
        (20, 600, 11124, 0.8918),
        (300, 300, 6480, 0.6929),
        (60, 600, 828, 0.3227),
        (1, 150, 828, 0.7940),
    ],
)
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
