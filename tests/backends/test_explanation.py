"""What a gap is made of, by hand-made results."""

from dataclasses import replace

import pytest

from tianji.backends.explanation import count_sends, explain_gap
from tianji.errors import FormatError
from tianji.parallel.plan import Plan
from tianji.prediction import predict
from tianji.prediction.traffic import predict_traffic
from tianji.ranges import Range
from tianji.result import Measurement, Result, Traffic

from .samples import plan_of


def measured(plan: Plan, step: float, breakdown: dict[str, float], chip: str = "cpu") -> Result:
    facts = Measurement(
        engine="local",
        chip=chip,
        warmup=1,
        step_times=(step, step, step),
        losses=(5.5,),
        gradient_norms=(1.0,),
        memory_peaks=(1e9,),
        profiled_time=sum(breakdown.values()),
        traffic={"dp": Traffic(2, 3e5)},
    )
    nominal = predict(plan)
    return replace(nominal, kind="measured", step_time=Range(step, step, step), breakdown=breakdown, measurement=facts)


def test_terms_add_up_to_both_steps_largest_gap_first() -> None:
    plan = plan_of("llama", {"dp": 2})
    found = explain_gap(measured(plan, 1.0, {"matmul": 1.5, "overhead": 0.5}), predict(plan))
    assert sum(term.measured for term in found.terms) == pytest.approx(1.0)
    assert sum(term.predicted for term in found.terms) == pytest.approx(found.predicted.step_time.nominal)
    assert (found.terms[0].name, found.terms[0].measured) == ("matrix multiplications", pytest.approx(0.75))
    assert [abs(term.gap) for term in found.terms] == sorted((abs(term.gap) for term in found.terms), reverse=True)
    assert found.traffic["dp"][1] == 3e5
    assert any("CPU" in remark for remark in found.remarks)
    assert any("matrix multiplications" in remark for remark in found.remarks)


def test_recomputed_work_is_one_term() -> None:
    plan = plan_of("llama", {"recompute": "full"})
    names = [term.name for term in explain_gap(measured(plan, 1.0, {"matmul": 1.0}), predict(plan)).terms]
    assert "computation, once and again" in names
    assert "matrix multiplications" not in names


def test_a_gap_within_the_noise_is_called_so() -> None:
    plan = plan_of("llama", {})
    step = predict(plan).step_time.nominal
    run = measured(plan, step * 1.01, {"matmul": step}, chip="h100")
    assert run.measurement is not None
    noisy = replace(run, measurement=replace(run.measurement, step_times=(step * 0.8, step, step * 1.3)))
    assert any("own noise" in remark for remark in explain_gap(noisy, predict(plan)).remarks)


def test_a_run_without_a_trace_is_compared_as_a_whole() -> None:
    plan = plan_of("llama", {})
    (term,) = explain_gap(measured(plan, 1.0, {}), predict(plan)).terms
    assert (term.name, term.measured) == ("whole step", 1.0)


def test_a_prediction_cannot_be_explained() -> None:
    result = predict(plan_of("llama", {}))
    with pytest.raises(FormatError, match="only a measured result"):
        explain_gap(result, result)


def test_another_job_beside_the_run_is_told() -> None:
    run = measured(plan_of("llama", {}), 1.0, {"matmul": 1.0})
    plan = run.plan
    longer = replace(plan, job=replace(plan.job, seq_len=plan.job.seq_len * 2))
    assert any("compare tokens/s" in remark for remark in explain_gap(run, predict(longer)).remarks)
    assert not any("compare tokens/s" in remark for remark in explain_gap(run, predict(plan)).remarks)


@pytest.mark.parametrize("times", [(), (0.0, 1.0)])
def test_a_measurement_without_step_times_is_refused(times: tuple[float, ...]) -> None:
    run = measured(plan_of("llama", {}), 1.0, {"matmul": 1.0})
    assert run.measurement is not None
    with pytest.raises(FormatError, match="step_times"):
        replace(run.measurement, step_times=times)


def test_sends_are_counted_as_this_trainer_makes_them() -> None:
    plan = plan_of("qwen-moe", {"pp": 2, "dp": 2, "ep": 2, "micro_batch_size": 1})
    counted, tokens = count_sends(plan), plan.job.seq_len * plan.strategy.micro_batch_size
    # The first stage passes each micro-batch's activations on, and every copy of a token crosses with chance 1/2.
    assert counted["pp"] == plan.num_microbatches * tokens * plan.job.model.hidden_size * 4
    assert counted["ep"] > predict_traffic(plan)["ep"]
    every_copy = replace(plan, strategy=replace(plan.strategy, ep_kind="all_to_all"))
    assert counted["ep"] == predict_traffic(every_copy)["ep"]
    assert "pp" not in count_sends(plan_of("llama", {"dp": 2}))


@pytest.mark.parametrize(
    ("schedule", "vpp", "pp", "sends"), [("1f1b", 1, 4, 2), ("interleaved", 2, 2, 3), ("zbv", 1, 2, 2)]
)
def test_a_pipeline_rank_sends_where_a_neighbour_is_on_another_rank(
    schedule: str, vpp: int, pp: int, sends: int
) -> None:
    plan = plan_of("llama", {"pp": pp, "vpp": vpp, "schedule": schedule, "micro_batch_size": 1})
    once = plan.num_microbatches * plan.job.seq_len * plan.job.model.hidden_size * 4
    assert count_sends(plan)["pp"] == sends * once
