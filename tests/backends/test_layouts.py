"""Every way to cut a model gives the losses of one plain process: the same mathematics, on 2, 4 and 8 processes."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from processes import GUARD
from tianji.parallel.plan import Plan
from tianji.prediction.traffic import predict_traffic

from .samples import CONFIGS, SEQ_LEN, plan_of

Case = tuple[str, dict[str, Any]]
ROOT = Path(__file__).parents[2]

TWO: list[Case] = [
    ("llama", {"dp": 2, "zero": 0}),
    ("llama", {"dp": 2, "zero": 1}),
    ("llama", {"dp": 2, "zero": 2, "micro_batch_size": 2}),
    ("llama", {"dp": 2, "zero": 3, "recompute": "full", "micro_batch_size": 2}),
    ("qwen", {"tp": 2, "micro_batch_size": 4}),
    ("qwen", {"tp": 2, "sequence_parallel": False, "micro_batch_size": 4}),
    ("tied", {"tp": 2, "recompute": "selective", "micro_batch_size": 4}),
    ("qwen", {"cp": 2, "cp_kind": "ring", "recompute": "selective", "micro_batch_size": 4}),
    ("qwen", {"cp": 2, "cp_kind": "ulysses"}),
    ("qwen", {"cp": 2, "cp_kind": "all_gather", "recompute": "full", "recompute_layers": 0.5, "micro_batch_size": 4}),
    ("llama", {"pp": 2}),
    ("llama", {"pp": 2, "schedule": "gpipe", "stages": "3,1"}),
    ("llama", {"pp": 2, "schedule": "interleaved", "vpp": 2}),
    ("llama", {"pp": 2, "schedule": "zero-bubble"}),
    ("llama", {"pp": 2, "schedule": "zbv"}),
    ("llama", {"pp": 2, "schedule": "dualpipe"}),
    ("qwen-moe", {"dp": 2, "ep": 2, "recompute": "selective", "micro_batch_size": 2}),
    ("qwen-moe", {"tp": 2, "ep": 2, "micro_batch_size": 4}),
    ("deepseek", {"tp": 2, "recompute": "full", "micro_batch_size": 4}),
    ("deepseek", {"cp": 2, "ep": 2, "cp_kind": "all_gather", "micro_batch_size": 4}),
    ("windowed", {"cp": 2, "cp_kind": "ring", "recompute": "selective", "micro_batch_size": 4}),
    ("windowed", {"cp": 2, "cp_kind": "ulysses", "recompute": "full", "micro_batch_size": 4}),
    ("windowed", {"cp": 2, "cp_kind": "all_gather", "micro_batch_size": 4}),
    ("windowed", {"pp": 2, "stages": "1,3", "schedule": "zbv"}),
    ("delta", {"tp": 2, "recompute": "selective", "micro_batch_size": 4}),
    ("delta", {"cp": 2, "cp_kind": "ring", "ep": 2, "micro_batch_size": 4}),
    ("delta", {"cp": 2, "cp_kind": "all_gather", "recompute": "full", "micro_batch_size": 4}),
    ("delta", {"pp": 2, "schedule": "zbv", "micro_batch_size": 2}),
    ("lightning", {"tp": 2, "micro_batch_size": 4}),
    ("lightning", {"cp": 2, "cp_kind": "all_gather", "ep": 2, "recompute": "full", "micro_batch_size": 4}),
    ("mamba", {"tp": 2, "recompute": "full", "micro_batch_size": 4}),
    ("mamba", {"cp": 2, "cp_kind": "ring", "recompute": "selective", "micro_batch_size": 4}),
    ("mamba", {"cp": 2, "cp_kind": "ulysses", "ep": 2, "micro_batch_size": 4}),
    ("mamba", {"pp": 2, "stages": "1,3", "schedule": "zero-bubble", "micro_batch_size": 2}),
]
FOUR: list[Case] = [
    ("llama", {"dp": 4, "zero_group": 2}),
    ("llama", {"tp": 2, "dp": 2, "zero": 3, "micro_batch_size": 2}),
    ("llama", {"pp": 2, "dp": 2, "zero": 3}),
    ("llama", {"pp": 2, "dp": 2, "placement": "pp-inside", "schedule": "interleaved", "vpp": 2}),
    ("llama", {"pp": 4}),
    ("qwen", {"cp": 2, "tp": 2, "micro_batch_size": 4}),
    ("qwen", {"cp": 2, "tp": 2, "cp_kind": "ulysses", "micro_batch_size": 4}),
    ("qwen-moe", {"tp": 2, "dp": 2, "ep": 4, "micro_batch_size": 2}),
    ("deepseek", {"pp": 2, "dp": 2, "ep": 2, "stages": "1,3"}),
    ("deepseek", {"pp": 2, "tp": 2, "ep": 2, "schedule": "zbv", "micro_batch_size": 2}),
    ("windowed", {"tp": 2, "dp": 2, "zero": 3, "micro_batch_size": 2}),
    ("windowed", {"cp": 4, "cp_kind": "ring", "micro_batch_size": 4}),
    ("delta", {"cp": 2, "tp": 2, "ep": 2, "zero": 3, "micro_batch_size": 4}),
    ("mamba", {"cp": 4, "cp_kind": "ring", "zero": 3, "micro_batch_size": 4}),
]
EIGHT: list[Case] = [
    ("llama", {"pp": 2, "dp": 2, "tp": 2, "micro_batch_size": 2}),
    ("llama", {"pp": 2, "cp": 2, "tp": 2, "schedule": "zbv", "micro_batch_size": 2}),
    ("llama", {"tp": 8, "micro_batch_size": 8}),
    ("qwen-moe", {"pp": 2, "dp": 4, "ep": 4}),
    ("qwen-moe", {"dp": 8, "ep": 4}),
    ("qwen-moe", {"pp": 2, "dp": 2, "tp": 2, "ep": 2, "micro_batch_size": 2}),
    ("deepseek", {"pp": 2, "cp": 2, "dp": 2, "ep": 4, "zero_group": 2}),
    ("deepseek", {"dp": 2, "cp": 2, "tp": 2, "ep": 8, "zero": 3, "micro_batch_size": 4}),
]


pytestmark = pytest.mark.xdist_group("layouts")

CASES = {1: [("llama", {})], 2: TWO, 4: FOUR, 8: EIGHT}

EXACT = 1e-3
TENSOR_CUT = dict.fromkeys(CONFIGS, 0.07) | {"deepseek": 0.25, "delta": 0.1}
"""How far bytes sent may be from bytes priced where tensor ranks cut matrices. The price lets them cut everything; in truth
norms, routers and the down projections of latent attention are whole on each rank, and tensor ranks sum their gradients. In
models as narrow as these that is much; what is cut is exact."""
ROUTED = 0.4
"""Experts get what the router sends them; the price is of a balanced load."""


def launch(world: int, cases: list[Case]) -> list[dict[str, Any]]:
    """Return what each case printed."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.backends.layouts", str(world), json.dumps(cases)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=GUARD)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, f"{cases[len(found)] if len(found) < len(cases) else ''}: {done.stderr[-3000:]}"
    return found


@pytest.fixture(scope="module")
def plain() -> dict[str, list[float]]:
    names = list(CONFIGS)
    found = launch(0, [(name, {}) for name in names])
    return {name: one["losses"] for name, one in zip(names, found, strict=True)}


@pytest.mark.slow
@pytest.mark.parametrize("world", CASES)
def test_every_layout_gives_the_losses_of_one_process_and_sends_what_is_priced(
    world: int, plain: dict[str, list[float]]
) -> None:
    norms: dict[str, list[float]] = {}
    for (name, strategy), found in zip(CASES[world], launch(world, CASES[world]), strict=True):
        assert found["losses"] == pytest.approx(plain[name], rel=1e-5), (name, strategy)
        assert found["norms"] == pytest.approx(norms.setdefault(name, found["norms"]), rel=1e-4), (name, strategy)
        check_traffic(name, strategy, found["traffic"])


def add_recurrences(priced: dict[str, float], plan: Plan) -> dict[str, float]:
    """Return bytes of rank 0 where the price of a state handed on is that of all ranks, one after the other.

    What the convolutions look back on is not priced: three tokens that all ranks gather, and the gradient back.
    """
    s, model = plan.strategy, plan.job.model
    if s.cp == 1:
        return priced
    pieces, hops = (2, 2) if s.cp_kind == "ring" else (1, 1)
    cp, tokens = priced["cp"], s.micro_batch_size * plan.num_microbatches * 4 / s.tp
    for layer in (model.block_parts[i].layer for i in model.pattern):
        for scan in layer.scans:
            state = scan.num_heads * scan.key_dim * scan.value_dim
            width = next(v.elements / 2 for v in layer.vectors if v.name == "convolution")
            cp += tokens * (state * (hops - 2 * (s.cp - 1)) + 2 * (s.cp - 1) * pieces * 3 * width)
    return priced | {"cp": cp}


def check_traffic(name: str, strategy: dict[str, Any], traffic: dict[str, dict[str, float]]) -> None:
    """The price is of the busiest stage and leaves recomputation out; without either, rank 0 sends just that."""
    if strategy.get("pp", 1) > 1 and strategy.get("schedule", "1f1b") in ("1f1b", "gpipe"):
        # The first stage passes on each micro-batch's activations, fp32, of its own tokens.
        plan = plan_of(name, strategy)
        tokens = plan.strategy.micro_batch_size * SEQ_LEN // (plan.strategy.tp * plan.strategy.cp)
        assert traffic["pp"]["bytes"] == plan.num_microbatches * tokens * plan.job.model.hidden_size * 4, (
            name,
            strategy,
        )
        if "recompute" not in strategy and plan.strategy.tp == 1:
            sent = traffic.get("dp", {"bytes": 0.0})["bytes"]
            assert sent == pytest.approx(predict_traffic(plan)["dp"], rel=EXACT), (name, strategy, "dp")
    if strategy.get("pp", 1) > 1 or "recompute" in strategy:
        return
    plan = plan_of(name, strategy)
    # The trainer's all_to_all carries every copy of a token, whatever dispatcher the plan is priced with.
    plan = replace(plan, strategy=replace(plan.strategy, ep_kind="all_to_all"))
    priced, cut = add_recurrences(predict_traffic(plan), plan), TENSOR_CUT[name] if plan.strategy.tp > 1 else EXACT
    for axis, tolerance in (("dp", cut), ("tp", cut), ("cp", EXACT), ("ep", ROUTED)):
        sent = traffic.get(axis, {"bytes": 0.0})["bytes"]
        assert sent == pytest.approx(priced[axis], rel=tolerance), (name, strategy, axis)
    if plan.strategy.ep > 1:
        # How many go where, there and back, and both again for the gradients.
        assert traffic["ep"]["calls"] == 5 * plan.job.model.num_moe_layers * plan.num_microbatches, (name, strategy)
