"""Every way to cut a model gives the losses of one plain process: the same mathematics, on 2, 4 and 8 processes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

Case = tuple[str, dict[str, Any]]

TWO: list[Case] = [
    ("llama", {"dp": 2, "zero": 0}),
    ("llama", {"dp": 2, "zero": 1}),
    ("llama", {"dp": 2, "zero": 2, "micro_batch_size": 2}),
    ("llama", {"dp": 2, "zero": 3, "recompute": "full"}),
    ("qwen", {"tp": 2}),
    ("qwen", {"tp": 2, "sequence_parallel": False}),
    ("tied", {"tp": 2, "recompute": "selective"}),
    ("qwen", {"cp": 2, "cp_kind": "ring", "recompute": "selective"}),
    ("qwen", {"cp": 2, "cp_kind": "ulysses"}),
    ("qwen", {"cp": 2, "cp_kind": "all_gather", "recompute": "full", "recompute_layers": 0.5}),
    ("llama", {"pp": 2}),
    ("llama", {"pp": 2, "schedule": "gpipe"}),
    ("llama", {"pp": 2, "schedule": "interleaved", "vpp": 2}),
    ("llama", {"pp": 2, "schedule": "zero-bubble"}),
    ("llama", {"pp": 2, "schedule": "zbv"}),
    ("llama", {"pp": 2, "schedule": "dualpipe"}),
    ("qwen-moe", {"dp": 2, "ep": 2, "recompute": "selective"}),
    ("qwen-moe", {"tp": 2, "ep": 2}),
    ("deepseek", {"tp": 2, "recompute": "full"}),
    ("deepseek", {"cp": 2, "ep": 2, "cp_kind": "all_gather"}),
]
FOUR: list[Case] = [
    ("llama", {"dp": 4, "zero_group": 2}),
    ("llama", {"tp": 2, "dp": 2, "zero": 3}),
    ("llama", {"pp": 2, "dp": 2, "zero": 3}),
    ("llama", {"pp": 2, "dp": 2, "placement": "pp-inside", "schedule": "interleaved", "vpp": 2}),
    ("llama", {"pp": 4}),
    ("qwen", {"cp": 2, "tp": 2}),
    ("qwen", {"cp": 2, "tp": 2, "cp_kind": "ulysses"}),
    ("qwen-moe", {"tp": 2, "dp": 2, "ep": 4}),
    ("deepseek", {"pp": 2, "dp": 2, "ep": 2}),
    ("deepseek", {"pp": 2, "tp": 2, "ep": 2, "schedule": "zbv"}),
]
EIGHT: list[Case] = [
    ("llama", {"pp": 2, "dp": 2, "tp": 2}),
    ("llama", {"pp": 2, "cp": 2, "tp": 2, "schedule": "zbv"}),
    ("llama", {"tp": 8}),
    ("qwen-moe", {"pp": 2, "dp": 4, "ep": 4}),
    ("qwen-moe", {"pp": 2, "dp": 2, "tp": 2, "ep": 2}),
    ("deepseek", {"pp": 2, "cp": 2, "dp": 2, "ep": 4, "zero_group": 2}),
    ("deepseek", {"dp": 2, "cp": 2, "tp": 2, "ep": 8, "zero": 3}),
]


def launch(world: int, cases: list[Case]) -> list[dict[str, Any]]:
    """Return what each case printed."""
    command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("layouts.py")), str(world), json.dumps(cases)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, f"{cases[len(found)] if len(found) < len(cases) else ''}: {done.stderr[-3000:]}"
    return found


@pytest.fixture(scope="module")
def plain() -> dict[str, list[float]]:
    names = ["llama", "qwen", "tied", "qwen-moe", "deepseek"]
    found = launch(0, [(name, {}) for name in names])
    return {name: one["losses"] for name, one in zip(names, found, strict=True)}


@pytest.mark.slow
@pytest.mark.parametrize(("world", "cases"), [(1, [("llama", {})]), (2, TWO), (4, FOUR), (8, EIGHT)], ids=[1, 2, 4, 8])
def test_every_layout_gives_the_losses_of_one_process(world: int, cases: list[Case], plain: dict[str, list[float]]) -> None:
    norms: dict[str, list[float]] = {}
    for (name, strategy), found in zip(cases, launch(world, cases), strict=True):
        assert found["losses"] == pytest.approx(plain[name], rel=1e-5), (name, strategy)
        assert found["norms"] == pytest.approx(norms.setdefault(name, found["norms"]), rel=1e-4), (name, strategy)
