"""Rank correlation and regret, by hand and against SciPy."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr  # type: ignore[import-untyped]

from tianji.units import GIB
from tianji.validation import Prediction, find_sweeps, read_runs
from tianji.validation.pricing import Forecast
from tianji.validation.sweeps import correlate_ranks, measure_ranking


@pytest.fixture(scope="module")
def row() -> Prediction:
    rows, _ = read_runs(split="check", quality="A")
    return Prediction(rows[0])


def sweep(like: Prediction, times: list[tuple[float, float]], memory: float = 1.0) -> list[Prediction]:
    """Return layouts of one job with the given predicted and measured times."""
    found = []
    for place, (predicted, measured) in enumerate(times, 1):
        strategy = replace(like.row.strategy, micro_batch_size=place)
        changed = replace(
            like.row, id=f"row {place}", setup=replace(like.row.setup, strategy=strategy), measured_step_time=measured,
        )  # fmt: skip
        found.append(Prediction(changed, Forecast(predicted, predicted, predicted, memory * GIB, 10 * GIB)))
    return found


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=20))
def test_rank_correlation_is_scipys(pairs: list[tuple[int, int]]) -> None:
    one, other = np.asarray(pairs, dtype=float).T
    if np.ptp(one) and np.ptp(other):
        assert correlate_ranks(one, other) == pytest.approx(spearmanr(one, other).statistic)


def test_regret_is_the_measured_price_of_our_pick(row: Prediction) -> None:
    (found,) = find_sweeps(sweep(row, [(1.0, 11.0), (2.0, 10.0), (3.0, 12.0), (4.0, 13.0)]))
    assert found.regret == pytest.approx(0.1)
    assert found.spearman == pytest.approx(0.8)


def test_a_layout_that_does_not_fit_is_not_picked(row: Prediction) -> None:
    layouts = sweep(row, [(1.0, 13.0), (2.0, 10.0), (3.0, 12.0), (4.0, 11.0)])
    layouts[0] = replace(layouts[0], forecast=replace(layouts[0].forecast, memory=11 * GIB))
    (found,) = find_sweeps(layouts)
    assert found.regret == 0.0


def test_fewer_than_four_layouts_are_no_sweep(row: Prediction) -> None:
    assert not find_sweeps(sweep(row, [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]))


def test_of_a_layout_that_ran_twice_the_faster_run_counts(row: Prediction) -> None:
    layouts = sweep(row, [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (4.0, 4.0)])
    again = replace(layouts[0], row=replace(layouts[0].row, id="again", measured_step_time=0.5))
    (found,) = find_sweeps([*layouts, again])
    assert min(p.row.measured_step_time for p in found.predictions) == 0.5
    assert len(found.predictions) == 4


def test_ranking_counts_sweeps_of_four_and_of_five(row: Prediction) -> None:
    found = measure_ranking(sweep(row, [(float(i), float(i)) for i in range(1, 5)]))
    assert (found.chosen, found.ranked, found.exact, found.regret) == (1, 0, 1.0, 0.0)
    assert found.spearman is None
