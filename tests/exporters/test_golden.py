"""Golden files: what each target writes for one plan, word for word. ``TIANJI_WRITE_GOLDEN=1`` writes them anew."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

import tianji
from legal_plans import TRAINERS, with_its_loss
from tianji.exporters import TARGETS, render_plan
from tianji.exporters.lint.checks import check_file
from tianji.parallel.plan import Plan
from tianji.workload import make_task

GOLDEN = Path(__file__).parent / "golden"
DENSE = {"tp": 4, "pp": 2, "vpp": 2, "dp": 2, "schedule": "interleaved", "recompute": "full", "recompute_layers": 0.5}
CASES = {
    "megatron": ("llama-3.1-8b", "hgx-h100", DENSE),
    "nemo": ("llama-3.1-8b", "hgx-h100", DENSE),
    "slurm": ("llama-3.1-8b", "gb200-nvl72", DENSE),
    "jobset": ("llama-3.1-8b", "hgx-h100", DENSE),
    "torchrun": ("llama-3.1-8b", "hgx-h100", DENSE),
    "rayjob": ("llama-3.1-8b", "hgx-h100", DENSE),
    "mindspeed": ("deepseek-v3", "atlas-950-superpod", {"pp": 4, "ep": 4, "dp": 4, "recompute": "selective"}),
    "volcano": ("deepseek-v3", "atlas-950-superpod", {"pp": 4, "ep": 4, "dp": 4, "recompute": "selective"}),
    "mindformers": ("deepseek-v3", "atlas-950-superpod", {"pp": 4, "ep": 4, "dp": 4, "recompute": "full"}),
    "torchtitan": ("llama-3.1-8b", "hgx-h100", {"tp": 2, "pp": 2, "dp": 4, "zero": 3, "recompute": "selective"}),
    "deepspeed": ("llama-3.1-8b", "hgx-h100", {"dp": 16, "zero": 3, "overlap_tp": False}),
    "megatron-swift": ("llama-3.1-8b", "hgx-h100", DENSE),
    **dict.fromkeys(
        TRAINERS, ("llama-3.1-8b", "hgx-h100", {"dp": 16, "zero": 3, "zero_kind": "buckets", "recompute": "full"})
    ),
}
TASKS = {
    "llama-factory": make_task("qlora", 16, "qkv,proj"),
    "swift": make_task("lora", 8),
    "megatron-swift": make_task("lora", 8),
}


def test_every_target_has_a_golden_file() -> None:
    assert set(CASES) == set(TARGETS)


@pytest.mark.parametrize("target", CASES)
def test_the_files_are_the_golden_ones(target: str) -> None:
    model, pool, strategy = CASES[target]
    job = replace(
        tianji.make_job(model, seq_len=4096, global_batch_size=64, tokens="1T"), task=TASKS.get(target, make_task())
    )
    plan = with_its_loss(
        Plan(job, tianji.load_pool(pool, 16), tianji.Strategy(**{"overlap_tp": False} | strategy)), target
    )
    bundle = render_plan(plan, target)
    # A plan's own file holds figures of the catalog, which change with it.
    texts = {a.name: a.text for a in bundle.artefacts if a.name != "plan.json"}
    if target == "rayjob":
        texts = {
            name: text[text.index("\n---\n") :] if name.endswith(".yaml") else text for name, text in texts.items()
        }
    for name, text in texts.items():
        path = GOLDEN / target / f"{name}.golden"  # no tool should take it for code
        if os.environ.get("TIANJI_WRITE_GOLDEN"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert text == path.read_text(), f"{path.relative_to(GOLDEN)}: TIANJI_WRITE_GOLDEN=1 writes it anew"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*/*job*.yaml.golden")), ids=lambda p: p.name)
def test_the_golden_manifests_fit_their_schemas(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.stem
    copy.write_text(path.read_text())
    found = check_file(str(copy))
    assert found.violations == ()
    assert found.kinds
