"""Plans that train adapters: written where a stack has them, read back as the same task, refused with the reason elsewhere."""

from dataclasses import replace
from pathlib import Path

import pytest

import tianji
from tianji.catalog import load_model
from tianji.errors import ExportError
from tianji.exporters import render_plan
from tianji.exporters.contract import FileBundle
from tianji.exporters.launch_reader.launches import read_launch
from tianji.parallel.plan import Plan
from tianji.workload import make_task
from tianji.workload.adapters import num_trained

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
