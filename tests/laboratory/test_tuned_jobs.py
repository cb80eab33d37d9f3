"""What the search promises over a tuned layout, and where the time would be saved."""

from dataclasses import replace

import pytest

from benchmarks.accuracy.acceptance import judge
from benchmarks.accuracy.tuned_jobs import LEAST_CHIPS, MOST_JOBS, promise_tuned
from tianji.validation import Prediction, validate
from tianji.validation.expected_gains import Promise


@pytest.fixture(scope="module")
def predictions() -> tuple[Prediction, ...]:
    return validate(split="check", quality="A").predictions


@pytest.fixture(scope="module")
def promise(predictions: tuple[Prediction, ...]) -> Promise:
    (found,) = promise_tuned([next(p for p in predictions if p.row.id == "NEMO-004")])
    return found


def test_the_best_plan_is_no_slower_than_the_published_layout(promise: Promise) -> None:
    assert promise.best.step_time.nominal <= promise.same.step_time.nominal
    assert promise.same.plan.strategy == promise.prediction.row.strategy


def test_gain_is_measured_over_promised_time(promise: Promise) -> None:
    ratio = promise.best.step_time.nominal / promise.same.step_time.nominal
    measured, predicted = promise.prediction.row.measured_step_time, promise.prediction.step_time
    assert predicted is not None
    assert promise.gain == pytest.approx(measured / (predicted * ratio * (1 + promise.optimism)) - 1)


def test_a_plan_promises_less_for_having_been_chosen(promise: Promise) -> None:
    assert promise.optimism > 0
    assert promise.gain < replace(promise, optimism=0.0).gain


def test_savings_name_the_terms_that_shrink(promise: Promise) -> None:
    for kind, seconds in promise.savings():
        assert promise.same.breakdown[kind] - promise.best.breakdown[kind] == pytest.approx(seconds)
        assert seconds > 0


def test_small_and_untuned_runs_are_left_out(predictions: tuple[Prediction, ...]) -> None:
    small = [p for p in predictions if p.row.strategy.chips < LEAST_CHIPS or p.row.source.startswith("vTrain")]
    assert promise_tuned(small) == []
    assert MOST_JOBS > 1


def test_a_gain_that_tuned_runs_leave_no_room_for_counts_unless_whoever_plans_is_told(promise: Promise) -> None:
    step_time = promise.prediction.step_time
    assert step_time is not None and promise.is_told and not promise.is_doubtful
    faster = replace(promise.prediction.forecast, step_time=step_time / 2)
    bold = replace(promise, prediction=replace(promise.prediction, forecast=faster))
    assert bold.is_doubtful
    (told,), (untold,) = (
        [bar for bar in judge([], [], [], promises=[promise, p]) if bar.what.startswith("gains promised")]
        for p in (bold, replace(bold, is_told=False))
    )
    assert told.is_met and told.value == 0 and f"largest {bold.gain * 100:.1f} %; above 15 %: 1" in told.what
    assert not untold.is_met and untold.value == 1
