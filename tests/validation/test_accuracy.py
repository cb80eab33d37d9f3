"""Errors, coverage and groups of predictions, on numbers that can be checked by hand."""

from dataclasses import replace

import pytest

from tianji.errors import UnknownNameError
from tianji.units import GIB
from tianji.validation import GROUPS, Prediction, read_runs
from tianji.validation.accuracy import group_predictions, measure_accuracy, measure_memory
from tianji.validation.pricing import Forecast


@pytest.fixture(scope="module")
def prediction() -> Prediction:
    rows, _ = read_runs(split="check", quality="A")
    row = next(r for r in rows if r.measured_memory)
    return Prediction(replace(row, measured_step_time=10.0, measured_memory=50 * GIB))


def predicted(like: Prediction, time: float, memory: float = 50.0) -> Prediction:
    return replace(
        like, forecast=Forecast(time, time * 0.9, time * 1.1, memory * GIB, 60 * GIB)
    )  # fmt: skip


def test_errors_are_predicted_over_measured_less_one(prediction: Prediction) -> None:
    times = [8.0, 9.5, 10.0, 10.5, 14.0]
    found = measure_accuracy([predicted(prediction, t) for t in times])
    assert found.count == 5
    assert found.median == pytest.approx(0.05)
    assert found.bias == pytest.approx(0.0)
    assert found.p90 == pytest.approx(0.32)  # between 0.2 and 0.4, at 0.6 of the way
    assert found.coverage == pytest.approx(3 / 5)  # 9.5, 10 and 10.5 are within a tenth


def test_rows_without_a_prediction_are_left_out(prediction: Prediction) -> None:
    assert measure_accuracy([prediction]).count == 0
    assert measure_accuracy([prediction]).median is None


def test_a_row_that_ran_and_does_not_fit_is_a_false_alarm(prediction: Prediction) -> None:
    found = measure_memory([predicted(prediction, 10.0, m) for m in (45.0, 55.0, 61.0)])
    assert found.count == found.ran == 3
    assert found.called_out == 1
    assert found.share_called_out == pytest.approx(1 / 3)
    assert found.median == pytest.approx(0.1)


def test_groups_may_overlap_and_leave_rows_out(prediction: Prediction) -> None:
    strategy = replace(prediction.row.strategy, pp=4, vpp=2, zero=3, schedule="interleaved")
    row = replace(prediction.row, setup=replace(prediction.row.setup, strategy=strategy))
    found = group_predictions([replace(prediction, row=row)], "feature")
    assert {"pp", "interleaved", "zero-3"} <= found.keys()


@pytest.mark.parametrize("by", GROUPS)
def test_every_grouping_names_the_groups_of_a_row(by: str, prediction: Prediction) -> None:
    assert all(name for name in GROUPS[by](prediction.row))


def test_a_slip_is_answered_with_the_nearest_group(prediction: Prediction) -> None:
    with pytest.raises(UnknownNameError, match="chip"):
        group_predictions([prediction], "chips")
