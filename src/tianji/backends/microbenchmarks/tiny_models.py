"""The small models that are timed: single ranks of them, and steps that are cut along one axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tianji.catalog import load_pool
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.workload import Job, Model, find_precision
from tianji.workload.huggingface import read_config

TINY = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 128, "vocab_size": 128,
}  # fmt: skip
EXPERTS = {
    "model_type": "qwen3_moe", "head_dim": 16, "num_experts": 8, "num_experts_per_tok": 2, "norm_topk_prob": True,
    "moe_intermediate_size": 64,
}  # fmt: skip
_WIDE = TINY | {"hidden_size": 320, "num_attention_heads": 5, "num_key_value_heads": 5, "intermediate_size": 864}
WHOLE: tuple[tuple[Mapping[str, Any], int, int], ...] = (
    (TINY, 1, 32),
    (TINY | {"num_hidden_layers": 4}, 1, 32),
    (TINY | {"hidden_size": 192, "intermediate_size": 512}, 4, 128),
    (_WIDE, 2, 256),
    (TINY | {"hidden_size": 128, "num_hidden_layers": 1, "vocab_size": 4096}, 4, 128),
    (TINY | EXPERTS, 1, 32),
    (TINY | EXPERTS | {"hidden_size": 192, "head_dim": 48, "moe_intermediate_size": 256}, 4, 128),
)
"""Models on one rank, with sequences of a micro-batch and tokens of each: they show what stands between the matmuls."""
LENGTH = 32
HEADS = 8
"""Over as many ranks a tiny model can be cut by tensors and experts."""


def job_of(config: Mapping[str, Any], batch: int, length: int) -> Job:
    """Return the job of a small model in fp32."""
    return Job(model_of(config), length, batch, find_precision("fp32"))


def model_of(config: Mapping[str, Any]) -> Model:
    """Return a small model."""
    return read_config(dict(config), "probe")


def axis_plans(world: int) -> dict[str, Plan]:
    """Return tiny plans of so many ranks, each cut along one axis; of one rank a single plan without a cut."""
    if world == 1:
        return {"none": _plan({}, Strategy(), 2)}
    plans = {
        "dp": _plan({}, Strategy(dp=world, zero=1), world),
        "zero": _plan({}, Strategy(dp=world, zero=3), world),
        "pp": _plan({"num_hidden_layers": world}, Strategy(pp=world), world),
    }
    if HEADS % world == 0:
        plans["tp"] = _plan({}, Strategy(tp=world, sequence_parallel=True), 2)
        plans["ep"] = _plan(EXPERTS | {"head_dim": 8}, Strategy(dp=world, ep=world), world)
    return plans


def _plan(changes: dict[str, Any], strategy: Strategy, batch: int) -> Plan:
    """Return the plan of a tiny model; its pool is of no account to a trainer."""
    config = TINY | {"num_attention_heads": HEADS, "num_key_value_heads": HEADS, "num_hidden_layers": 4} | changes
    return Plan(job_of(config, batch, LENGTH), load_pool("hgx-h100").with_chips(strategy.chips), strategy)
