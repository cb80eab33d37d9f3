"""Plans that train adapters: written where a stack has them, read back as the same task, refused with the reason elsewhere."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import tianji
from tianji.catalog import load_model
from tianji.errors import ExportError, IllegalStrategyError
from tianji.exporters import render_plan, write_bundle
from tianji.exporters.contract import FileBundle
from tianji.exporters.launch_reader.launches import read_launch
from tianji.exporters.lint.checks import check_file
from tianji.parallel.plan import Plan
from tianji.workload import Formats, make_task
from tianji.workload.adapters import num_trained
from tianji.workload.task import ADAPTED

POOLS = {"mindspeed": "atlas-900-a2", "mindformers": "atlas-900-a2"}


def export(model: str, target: str, task: str, targets: str = "all", rank: int = 16) -> FileBundle:
    job = tianji.make_job(model, seq_len=2048, global_batch_size=64)
    job = replace(job, task=make_task(task, rank, targets))
    strategy = tianji.Strategy(dp=8, zero=0 if target == "torchtitan" else 1, overlap_tp=False, ep_kind="all_to_all")
    return render_plan(Plan(job, tianji.load_pool(POOLS.get(target, "hgx-h100"), 8), strategy), target)


@pytest.mark.parametrize("targets", ["all", "qkv,proj", "qkv"])
@pytest.mark.parametrize("model", ["qwen3-8b", "llama-3.1-8b", "qwen3-30b-a3b"])
def test_mindspeed_trains_the_adapters_of_the_plan(model: str, targets: str, tmp_path: Path) -> None:
    bundle = export(model, "mindspeed", "lora", targets, rank=32)
    path = tmp_path / "pretrain_mindspeed.sh"
    path.write_text(bundle.artefacts[0].text)
    read, wanted = read_launch(path).job, make_task("lora", 32, targets)
    assert read.task == wanted
    assert num_trained(read.model, read.task) == num_trained(load_model(model), wanted)
    assert "posttrain_gpt.py" in bundle.artefacts[0].text
    assert "--stage sft" in bundle.artefacts[0].text


def test_a_recipe_of_nemo_names_the_matrices() -> None:
    text = export("deepseek-v2-lite", "nemo", "lora", "qkv,proj").artefacts[0].text
    assert "linear_q_proj" in text
    assert "'linear_kv_up_proj', 'linear_proj'], dim=16, alpha=32)" in text
    assert "finetune(config=recipe(), forward_step_func=forward_step)" in text
    compile(text, "nemo_recipe.py", "exec")


def test_experts_have_adapters_of_their_own() -> None:
    assert "share_expert_adapters=False" in export("qwen3-30b-a3b", "nemo", "lora").artefacts[0].text


@pytest.mark.parametrize("target", ["llama-factory", "swift"])
def test_a_trainers_files_read_back_as_the_same_plan(target: str) -> None:
    came_back: list[Plan] = []

    @settings(max_examples=30, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from(["qwen3-8b", "llama-3.1-70b", "qwen3-30b-a3b", "deepseek-v2-lite"]), st.sampled_from([8, 16]),
        st.sampled_from(["pretrain", "lora", "qlora"]), st.sampled_from(["all", "qkv,proj", "proj", "qkv"]),
        st.integers(0, 3), st.sampled_from(["none", "full"]), st.sampled_from([1, 2, 4]),
        st.sampled_from(["torch", "chunked"]), st.booleans(), st.sampled_from([1, 2]), st.booleans(),
    )  # fmt: skip
    def go(
        model: str, dp: int, task: str, targets: str, zero: int, recompute: str, micro: int, loss: str, host: bool, cp: int,
        overlap: bool,
    ) -> None:  # fmt: skip
        job = tianji.make_job(model, seq_len=2048, global_batch_size=64)
        # DeepSpeed keeps a 16-bit gradient beside its fp32 sum from ZeRO-2 on.
        formats = Formats(loss_kernel=loss, gradient_dtype="both" if zero > 1 else None)
        adapted = task in ADAPTED
        own = make_task(task, 32, targets) if adapted else make_task(task)
        job = replace(job, task=own, precision=formats.apply(job.precision))
        strategy = tianji.Strategy(
            dp=dp, cp=cp, zero=zero, zero_kind="buckets" if zero else "layers", recompute=recompute, micro_batch_size=micro,
            overlap_tp=False, overlap_pp=False, ep_kind="all_to_all", cp_kind="ulysses", overlap_dp=overlap,
            weight_gather="hidden" if zero == 3 else "exposed", offload_optimizer=float(host and zero > 0),
        )  # fmt: skip
        plan = Plan(job, tianji.load_pool("hgx-h100", strategy.chips), strategy)
        try:
            bundle = render_plan(plan, target)
        except (ExportError, IllegalStrategyError):
            assume(False)
            raise
        with TemporaryDirectory() as folder:
            for path in write_bundle(bundle, folder):
                if path.suffix not in (".yaml", ".sh"):
                    continue
                read = read_launch(path, chips=strategy.chips)
                assert read.strategy == strategy
                assert read.job.task == own
                assert num_trained(read.job.model, read.job.task) == num_trained(job.model, own)
                assert (read.job.model.name, read.job.seq_len) == (model, 2048)
                assert (read.job.global_batch_size, read.job.precision) == (64, job.precision)
                assert not read.broken
        came_back.append(plan)

    go()
    assert len(came_back) >= 10
    assert {plan.job.task.name for plan in came_back} == {"pretrain", "lora", "qlora"}


def test_a_trainers_yaml_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "model_name_or_path: qwen3-8b\nstage: pt\nfinetuning_type: full\nquantization_bit: 4\ndo_train: true\n"
        "dataset: mine\nneat_packing: true\ncutof_len: 2048\nlora_rank: many\n"
    )
    said = " ".join(f"{v.rule} {v.actual} {v.fix}" for v in check_file(str(path)).violations)
    assert "a quantized base without adapters" in said
    assert "neat_packing outside supervised fine-tuning" in said
    assert "cutoff_len" in said
    assert "lora_rank" in said
    path.write_text("model: qwen3-8b\ntuner_type: lora\npacking: true\nattn_impl: sdpa\n")
    said = " ".join(v.rule for v in check_file(str(path)).violations)
    assert "packing without FlashAttention" in said
    assert "a training without a dataset" in said


def test_a_script_of_deepspeed_has_adapters_in_its_own_code() -> None:
    notes = " ".join(export("qwen3-8b", "deepspeed", "qlora").notes)
    assert "peft.LoraConfig(r=16)" in notes
    assert "load_in_4bit=True" in notes


@pytest.mark.parametrize(
    ("target", "task", "reason"),
    [
        ("megatron", "lora", "Megatron-LM d98e8a64 trains no adapters"),
        ("torchtitan", "lora", "components/lora.py"),
        ("mindformers", "lora", "pet_config"),
        ("mindspeed", "qlora", "no base weights of 4 bits"),
        ("nemo", "qlora", "no base weights of 4 bits"),
    ],
)
def test_who_has_none_says_so(target: str, task: str, reason: str) -> None:
    with pytest.raises(ExportError, match=reason):
        export("qwen3-8b", target, task)


def test_experts_and_mlps_have_one_name() -> None:
    with pytest.raises(ExportError, match="are the names of both"):
        export("deepseek-v2-lite", "nemo", "lora", "qkv,experts")
