"""Published runs of the very job that is planned."""

from dataclasses import replace

import pytest

from tianji.catalog import load_calibration, load_model, load_pool
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.prediction import predict
from tianji.validation.expected_gains import weigh_precedents
from tianji.validation.published_runs import find_precedents
from tianji.workload import Job
from tianji.workload.precision import PRECISIONS

AS_SUBMITTED = Strategy(tp=8, pp=8, vpp=8, cp=2, dp=64, zero=1, schedule="interleaved", overlap_tp=True)


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The largest submission of MLPerf v5.0: Llama 3.1 405B in fp8 on 8,192 H100, batch 1,536."""
    job = Job(load_model("llama-3.1-405b"), 8192, 1536, PRECISIONS["fp8"])
    return Plan(job, load_pool("hgx-h100").with_chips(8192), AS_SUBMITTED)


def test_a_published_run_of_the_same_job_is_found(plan: Plan) -> None:
    (row,) = find_precedents(plan)
    assert (row.id, row.measured_step_time) == ("MLPF-012", 5.182)


def test_another_batch_precision_or_number_of_chips_is_another_job(plan: Plan) -> None:
    others = (
        replace(plan, job=replace(plan.job, global_batch_size=1024)),
        replace(plan, job=replace(plan.job, precision=PRECISIONS["bf16"])),
        replace(plan, strategy=replace(plan.strategy, dp=32)),
    )
    assert [find_precedents(p) for p in others] == [[], [], []]


def test_the_gain_is_what_the_plan_saves_of_what_was_measured(plan: Plan) -> None:
    calibration = load_calibration()
    same, half = predict(plan, calibration), predict(replace(plan, strategy=replace(AS_SUBMITTED, recompute="full")))
    (equal,), (slower,) = weigh_precedents(same, calibration), weigh_precedents(half, calibration)
    error = equal.prediction.error or 0.0
    # For the layout that ran, all that is promised is the error of its prediction.
    assert equal.gain == pytest.approx(
        1.0 / (1.0 + error) * equal.same.step_time.nominal / same.step_time.nominal - 1.0
    )
    assert slower.gain < equal.gain
