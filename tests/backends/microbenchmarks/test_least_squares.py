"""Fits of rates that cannot be negative: laws of any times."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tianji.backends.microbenchmarks.least_squares import fit_times

POSITIVE = st.floats(0.1, 1e3)


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Terms that tell their unknowns apart, and a true value of each; a few are 0."""
    unknowns = draw(st.integers(1, 3))
    rows = draw(st.integers(unknowns + 1, 7))
    terms = draw(arrays(float, (rows, unknowns), elements=POSITIVE))
    truth = draw(arrays(float, unknowns, elements=st.just(0.0) | st.floats(0.1, 10.0)))
    assume(truth.any())
    assume(np.linalg.cond(terms / (terms @ truth)[:, None]) < 1e4)
    return terms, truth


@given(problems())
def test_times_that_the_terms_explain_give_their_rates_back(problem: tuple[np.ndarray, np.ndarray]) -> None:
    terms, truth = problem
    x, errors = fit_times(terms, terms @ truth)
    assert np.allclose(x, truth, rtol=1e-6, atol=1e-6)
    assert (errors[truth > 0.0] < 1e-3).all()


@given(st.integers(1, 3).flatmap(lambda n: arrays(float, (n + 3, n + 1), elements=POSITIVE)))
def test_no_rate_is_negative_and_no_single_rate_explains_more(table: np.ndarray) -> None:
    terms, times = table[:, :-1], table[:, -1]
    x, _ = fit_times(terms, times)
    assert (x >= 0.0).all()
    left = np.square(terms @ x / times - 1.0).sum()
    for column in (terms / times[:, None]).T:
        alone = max(column.sum() / np.square(column).sum(), 0.0)
        assert left <= np.square(column * alone - 1.0).sum() + 1e-9


@given(problems(), st.floats(0.01, 100.0))
def test_slower_by_a_factor_everywhere_is_that_factor_in_each_rate(
    problem: tuple[np.ndarray, np.ndarray], factor: float
) -> None:
    terms, truth = problem
    x, _ = fit_times(terms, factor * (terms @ truth))
    assert np.allclose(x, factor * truth, rtol=1e-6, atol=1e-6 * factor)
