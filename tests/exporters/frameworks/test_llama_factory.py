"""LLaMA-Factory: one YAML says the task, the batch and the formats; DeepSpeed's file carries ZeRO, the launcher the nodes."""

from dataclasses import replace

import pytest

import tianji
from tianji.exporters import FileBundle, render_plan
from tianji.parallel.plan import Plan
from tianji.workload import Formats, make_task


def bundle_of(task: str = "sft", loss: str = "torch", **strategy: object) -> FileBundle:
    made = tianji.Strategy(**{"overlap_tp": False, "zero_kind": "buckets", "weight_gather": "exposed", **strategy})  # type: ignore[arg-type]
    job = tianji.make_job("llama-3.1-8b", seq_len=4096, global_batch_size=64)
    job = replace(job, task=make_task(task), precision=Formats(loss_kernel=loss).apply(job.precision))
    return render_plan(Plan(job, tianji.load_pool("hgx-h100", made.chips), made), "llama-factory")


def settings_of(bundle: FileBundle) -> dict[str, str]:
    lines = bundle.artefacts[0].text.splitlines()
    pairs = (line.partition("  #")[0].partition(": ") for line in lines if line[:1].isalpha())
    return {key: value.strip().strip('"') for key, _, value in pairs}


@pytest.mark.parametrize(("dp", "micro", "steps"), [(8, 1, "8"), (16, 2, "2"), (4, 4, "4")])
def test_the_batch_is_the_plans(dp: int, micro: int, steps: str) -> None:
    written = settings_of(bundle_of(dp=dp, zero=1, micro_batch_size=micro))
    assert (written["per_device_train_batch_size"], written["gradient_accumulation_steps"]) == (str(micro), steps)
    assert written["cutoff_len"] == "4096"


@pytest.mark.parametrize(
    ("task", "stage", "kind"),
    [("pretrain", "pt", "full"), ("sft", "sft", "full"), ("qlora", "sft", "lora"), ("reward", "rm", "full")],
)
def test_a_task_is_a_stage_and_a_type(task: str, stage: str, kind: str) -> None:
    written = settings_of(bundle_of(task, dp=8, zero=2))
    assert (written["stage"], written["finetuning_type"]) == (stage, kind)
    assert written.get("quantization_bit") == ("4" if task == "qlora" else None)
    assert ("template" in written) == (task != "pretrain")


def test_recomputation_and_the_loss_are_said() -> None:
    written = settings_of(bundle_of(loss="chunked", dp=8, zero=1, recompute="full"))
    assert (written["disable_gradient_checkpointing"], written["enable_liger_kernel"]) == ("false", "true")
    assert settings_of(bundle_of(dp=8, zero=1))["disable_gradient_checkpointing"] == "true"


def test_only_sharded_state_needs_deepspeed() -> None:
    assert [a.name for a in bundle_of(dp=8, zero=3).artefacts] == [
        "llama_factory.yaml", "ds_config.json", "run_llama_factory.sh", "ranks.tsv",
    ]  # fmt: skip
    whole = bundle_of(dp=8, zero=0, zero_kind="layers")
    assert "ds_config.json" not in {a.name for a in whole.artefacts}
    assert "deepspeed" not in settings_of(whole)


def test_the_launcher_starts_one_process_for_each_chip() -> None:
    script = bundle_of(dp=16, zero=1).artefacts[2].text
    assert "NPROC_PER_NODE=8" in script
    assert "NNODES=2" in script
    assert "FORCE_TORCHRUN=1" in script
    assert "llamafactory-cli train llama_factory.yaml" in " ".join(script.replace("\\\n", "").split())
