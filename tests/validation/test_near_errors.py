"""Ranges move with the errors of the nearest fit runs, and with nothing else."""

import math
import pickle

import pytest

import tianji
from tianji.catalog import load_calibration
from tianji.prediction import predict
from tianji.result import Result
from tianji.validation.near_errors import MOST, NEAR, NearErrors


def result_of(pool: str = "hgx-h100", calibration: str = "default", **sizes: int) -> Result:
    job = tianji.make_job("llama-3.1-70b", 8192, sizes.get("batch", 128))
    plan = tianji.Plan(job, tianji.load_pool(pool, 64), tianji.Strategy(tp=4, pp=4, dp=4))
    return predict(plan, load_calibration(calibration))


@pytest.fixture(scope="module")
def errors() -> NearErrors:
    return NearErrors(load_calibration())


def test_a_range_moves_by_the_mean_error_and_the_nominal_case_stays(errors: NearErrors) -> None:
    before = result_of()
    after, known = errors(before), errors.find(before.plan)
    assert 0 < len(known) <= MOST
    assert all(math.exp(-NEAR) <= weight <= 1 for weight, _ in known)
    factor = math.exp(-sum(w * e for w, e in known) / sum(w for w, _ in known))
    assert after.step_time.nominal == before.step_time.nominal
    assert after.step_time.high == pytest.approx(max(before.step_time.high * factor, before.step_time.nominal))
    assert after.breakdown == before.breakdown
    assert f"moved with {len(known)} runs nearby" in after.step_time.leans_on


def test_nothing_moves_where_nothing_was_measured_or_no_range_is_known(errors: NearErrors) -> None:
    for result in (result_of("atlas-950-superpod"), result_of(batch=8192), result_of(calibration="none")):
        assert errors(result) == result


def test_what_moves_ranges_goes_to_other_machines(errors: NearErrors) -> None:
    result = result_of()
    assert pickle.loads(pickle.dumps(errors))(result).step_time == errors(result).step_time


def test_plan_predict_and_compare_move_alike(errors: NearErrors) -> None:
    sizes = {"batch": 128, "seq": 8192}
    planned = tianji.plan("llama-3.1-70b", "hgx-h100", chips=64, top=1, **sizes)
    predicted = tianji.predict(planned)
    compared = tianji.compare("llama-3.1-70b", "64xhgx-h100", "64xhgx-h100", **sizes)
    spans = [planned.best.step_time, predicted.step_time, compared.assessments[0].result.step_time]
    assert all(span == spans[0] for span in spans)
    assert "runs nearby" in spans[0].leans_on
