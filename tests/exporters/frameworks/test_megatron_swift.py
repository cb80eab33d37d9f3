"""Megatron-SWIFT: the verb of each task, and a law: what was written is read back as the same job and strategy."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import tianji
from tianji.errors import ExportError
from tianji.exporters import FileBundle, render_plan
from tianji.exporters.launch_reader.launches import Launch, read_launch
from tianji.parallel.plan import Plan
from tianji.perf.holdings import stages_of
from tianji.workload import Formats, make_task


def plan_of(task: str, model: str = "llama-3.1-8b", loss: str = "plain", **strategy: object) -> Plan:
    made = tianji.Strategy(**{"overlap_tp": False, "zero": 1, **strategy})  # type: ignore[arg-type]
    job = tianji.make_job(model, seq_len=4096, global_batch_size=64)
    own = make_task(task, teacher=tianji.load_model("llama-3.1-70b") if task == "distill" else None)
    job = replace(job, task=own, precision=Formats(loss_kernel=loss).apply(job.precision))
    return Plan(job, tianji.load_pool("hgx-h100", made.chips), made)


def script_of(bundle: FileBundle) -> str:
    return next(a.text for a in bundle.artefacts if a.name == "run_megatron_swift.sh")


def read_back(plan: Plan) -> Launch:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run_megatron_swift.sh"
        path.write_text(script_of(render_plan(plan, "megatron-swift")))
        return read_launch(path, chips=plan.strategy.chips)


@pytest.mark.parametrize(
    ("task", "verb", "option"),
    [
        ("pretrain", "pt", "--tuner_type full"), ("sft", "sft", "--tuner_type full"), ("lora", "sft", "--tuner_type lora"),
        ("reward", "rlhf", "--rlhf_type rm"), ("embedding", "sft", "--task_type embedding"),
        ("distill", "rlhf", "--teacher_model ./models/llama-3.1-70b"),
    ],
)  # fmt: skip
def test_a_task_is_a_verb_with_its_options(task: str, verb: str, option: str) -> None:
    text = script_of(render_plan(plan_of(task, dp=8), "megatron-swift"))
    assert f"megatron {verb} " in " ".join(text.replace("\\\n", " ").split())
    assert option in text


def test_a_quantized_base_is_refused_with_the_way_out() -> None:
    with pytest.raises(ExportError, match="no 4-bit base"):
        render_plan(plan_of("qlora", dp=8), "megatron-swift")


@pytest.mark.parametrize("stages", ["Et*11|t*12|t*12|t*11mL", "Et*6|(t*6|)*6t*4mL"])
def test_uneven_stages_with_a_prediction_module_come_back(stages: str) -> None:
    vpp = 2 if "(" in stages else 1
    schedule = "interleaved" if vpp > 1 else "1f1b"
    plan = plan_of("pretrain", "glm-4.5-air", pp=4, vpp=vpp, dp=8, ep=8, stages=stages, schedule=schedule)
    launch = read_back(plan)
    assert stages_of(launch.job.model, launch.strategy) == stages_of(plan.job.model, plan.strategy)


def test_a_script_reads_back_as_the_same_plan() -> None:
    came_back: list[Plan] = []

    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from(["llama-3.1-8b", "qwen3-30b-a3b"]), st.sampled_from(["pretrain", "lora", "reward", "embedding"]),
        st.sampled_from([1, 2, 4]), st.sampled_from([(1, 1), (2, 1), (4, 1), (2, 2)]), st.sampled_from([1, 2]), st.integers(0, 1),
        st.sampled_from(["none", "selective", "full"]), st.sampled_from(["plain", "fused", "in-place"]), st.booleans(),
    )  # fmt: skip
    def go(
        model: str, task: str, tp: int, pipeline: tuple[int, int], cp: int, zero: int, recompute: str, loss: str, overlap: bool
    ) -> None:  # fmt: skip
        (pp, vpp), modules = pipeline, "layernorm+moe_act" if "a3b" in model else "layernorm"
        plan = plan_of(
            task, model, loss, tp=tp, pp=pp, vpp=vpp, cp=cp, dp=8, ep=8 if "a3b" in model else 1, zero=zero, recompute=recompute,
            schedule="interleaved" if vpp > 1 else "1f1b", overlap_dp=overlap, weight_gather="hidden" if overlap else "exposed",
            overlap_pp=vpp > 1, ep_kind="all_to_all", recompute_modules=modules if recompute == "selective" else "",
        )  # fmt: skip
        try:
            launch = read_back(plan)
        except ExportError as error:
            assert "would run another plan" in str(error)
            assume(False)
            raise
        assert launch.job.task == plan.job.task
        assert (launch.job.seq_len, launch.job.global_batch_size) == (4096, 64)
        assert launch.job.precision == plan.job.precision
        for field in ("tp", "pp", "vpp", "cp", "dp", "ep", "zero", "recompute", "recompute_modules", "overlap_dp"):
            assert getattr(launch.strategy, field) == getattr(plan.strategy, field), field
        came_back.append(plan)

    go()
    assert len(came_back) >= 10
