"""Spares: published counts, and the tails beside SciPy's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tianji.reliability import spares_for
from tianji.reliability.spares import poisson_tail, waiting_share

RATES = (2.34e-3, 3.79e-3, 6.5e-3)


@pytest.mark.parametrize(("chips", "expected"), [(8_192, [7, 9, 13]), (524_288, [183, 286, 475])])
def test_spares_at_99_percent_with_a_day_of_repair(chips: int, expected: list[int]) -> None:
    assert [spares_for(chips / 8 * rate) for rate in RATES] == expected


@given(mean=st.floats(min_value=1e-6, max_value=5e3), miss=st.floats(min_value=1e-6, max_value=0.5))
def test_spares_are_the_quantile(mean: float, miss: float) -> None:
    found = spares_for(mean, 1 - miss)
    assert stats.poisson.sf(found, mean) <= (1 - (1 - miss)) * (1 + 1e-9)
    assert found == 0 or stats.poisson.sf(found - 1, mean) > (1 - (1 - miss)) * (1 - 1e-9)


@given(count=st.integers(0, 2000), mean=st.floats(min_value=1e-3, max_value=1e3))
def test_the_poisson_tail(count: int, mean: float) -> None:
    assert poisson_tail(count, mean) == pytest.approx(stats.poisson.sf(count, mean), rel=1e-9, abs=1e-290)


def test_sixty_four_chips_and_one_to_spare() -> None:
    # UB-Mesh's rack: at 9 % a year and 24 h of repair at most one of 65 is down in 99.99 % of the time.
    assert 1 - poisson_tail(1, 65 * 0.09 / 365.25) == pytest.approx(0.9999, abs=5e-5)


@given(spares=st.integers(0, 600), mean=st.floats(min_value=1e-2, max_value=600))
def test_waiting_is_erlangs_loss(spares: int, mean: float) -> None:
    busy = 1.0
    for places in range(1, spares + 2):
        busy = mean * busy / (places + mean * busy)
    assert waiting_share(spares, mean) == pytest.approx(busy, rel=1e-9, abs=1e-240)


@given(spares=st.integers(0, 50), mean=st.floats(min_value=1e-2, max_value=50))
def test_one_more_spare_never_waits_longer(spares: int, mean: float) -> None:
    assert waiting_share(spares + 1, mean) <= waiting_share(spares, mean)


def test_without_failures_nobody_waits() -> None:
    assert spares_for(0.0) == 0
    assert waiting_share(0, 0.0) == 0.0
