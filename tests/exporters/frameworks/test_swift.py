"""ms-swift: one YAML for `swift sft` or `swift pt`, sequences cut by Ulysses, DeepSpeed's file beside it."""

from dataclasses import replace
from pathlib import Path

import pytest

import tianji
from tianji.errors import ExportError
from tianji.exporters import FileBundle, render_plan
from tianji.exporters.lint.checks import check_file
from tianji.parallel.plan import Plan
from tianji.workload import Formats, make_task


def bundle_of(task: str = "sft", **strategy: object) -> FileBundle:
    fields = {
        "overlap_tp": False,
        "zero_kind": "buckets",
        "zero": 1,
        "weight_gather": "exposed",
        "cp_kind": "ulysses",
        **strategy,
    }
    made = tianji.Strategy(**fields)  # type: ignore[arg-type]
    job = tianji.make_job("llama-3.1-8b", seq_len=4096, global_batch_size=64)
    job = replace(job, task=make_task(task), precision=Formats(loss_kernel="torch").apply(job.precision))
    return render_plan(Plan(job, tianji.load_pool("hgx-h100", made.chips), made), "swift")


def settings_of(bundle: FileBundle) -> dict[str, str]:
    lines = bundle.artefacts[0].text.splitlines()
    pairs = (line.partition("  #")[0].partition(": ") for line in lines if line[:1].isalpha())
    return {key: value.strip().strip('"') for key, _, value in pairs}


@pytest.mark.parametrize(
    ("task", "verb", "kind"), [("pretrain", "pt", "full"), ("sft", "sft", "full"), ("lora", "sft", "lora")]
)
def test_a_task_is_a_verb_and_a_tuner(task: str, verb: str, kind: str) -> None:
    bundle = bundle_of(task, dp=8)
    assert settings_of(bundle)["tuner_type"] == kind
    script = next(a.text for a in bundle.artefacts if a.name == "run_swift.sh")
    assert f"swift {verb} swift.yaml" in " ".join(script.replace("\\\n", "").split())


def test_a_quantized_base_is_said() -> None:
    written = settings_of(bundle_of("qlora", dp=8))
    assert (written["quant_method"], written["quant_bits"]) == ("bnb", "4")


def test_sequences_are_cut_by_ulysses_alone() -> None:
    written = settings_of(bundle_of(dp=4, cp=2))
    assert (written["sequence_parallel_size"], written["gradient_accumulation_steps"]) == ("2", "16")
    assert "sequence_parallel_size" not in settings_of(bundle_of(dp=8))
    with pytest.raises(ExportError, match="its sequence parallelism is Ulysses"):
        bundle_of(dp=4, cp=2, cp_kind="ring")


def test_attention_and_recomputation_are_said() -> None:
    written = settings_of(bundle_of(dp=8, recompute="full", flash_attention=False))
    assert (written["attn_impl"], written["gradient_checkpointing"]) == ("eager", "true")
    assert settings_of(bundle_of(dp=8))["attn_impl"] == "sdpa"


def test_weights_of_16_bits_alone_are_another_plan() -> None:
    with pytest.raises(ExportError, match="take --fix zero=1"):
        bundle_of(dp=8, zero=0, zero_kind="layers")


@pytest.mark.parametrize(
    ("task", "verb", "key", "value"),
    [("reward", "rlhf", "rlhf_type", "rm"), ("embedding", "sft", "task_type", "embedding")],
)
def test_another_head_is_a_task_of_its_own(task: str, verb: str, key: str, value: str, tmp_path: Path) -> None:
    bundle = bundle_of(task, dp=8)
    assert settings_of(bundle)[key] == value
    script = next(a.text for a in bundle.artefacts if a.name == "run_swift.sh")
    assert f"swift {verb} swift.yaml" in " ".join(script.replace("\\\n", "").split())
    path = tmp_path / "swift.yaml"
    path.write_text(bundle.artefacts[0].text)
    assert check_file(str(path)).violations == ()
