"""Legal plans for the laws of export: drawn over models, pools, degrees and switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

import tianji
from tianji.parallel.legality import refusals
from tianji.parallel.plan import Plan
from tianji.workload import Formats, Job

MODELS = ("llama-3.1-8b", "deepseek-v3", "qwen3-30b-a3b", "gpt3-175b", "gemma2-9b", "qwen2.5-7b", "gpt-oss-20b")
POOLS = ("hgx-h100", "gb200-nvl72", "atlas-950-superpod", "atlas-900-a2", "atlas-900-a3-superpod")


@cache
def models() -> tuple[str, ...]:
    """Return those of MODELS that the catalog has."""
    known = tianji.list_models()
    return tuple(m for m in MODELS if m in known)


TRAINERS = ("llama-factory", "swift")
"""Targets whose loss is PyTorch's own."""


def with_its_loss(plan: Plan, target: str) -> Plan:
    """Return a plan with a loss that a target has, where it has no other."""
    if target not in TRAINERS:
        return plan
    precision = Formats(loss_kernel="torch").apply(plan.job.precision)
    return replace(plan, job=replace(plan.job, precision=precision))


@st.composite
def plans(draw: st.DrawFn, pools: tuple[str, ...] = POOLS, space: Mapping[str, tuple[Any, ...]] | None = None) -> Plan:
    """Draw a legal plan; of two degrees that cannot go together the draw is thrown away.

    ``space`` holds fields to the values that a framework has, so that more draws are plans that it takes.
    """

    def pick(name: str, *values: Any) -> Any:
        own = (space or {}).get(name, values)
        return draw(st.sampled_from([v for v in values if v in own] or list(own)))

    tp, pp, cp = pick("tp", 1, 1, 2, 4, 8), pick("pp", 1, 1, 2, 4, 8), pick("cp", 1, 1, 2)
    ep, etp, dp = pick("ep", 1, 1, 2, 4, 8), pick("etp", 1, 1, 2), pick("dp", 1, 2, 4, 8)
    vpp = draw(st.sampled_from([1, 1, 2])) if pp > 1 else 1
    schedule = "interleaved" if vpp > 1 else pick("schedule", "1f1b", "1f1b", "1f1b", "gpipe", "zero-bubble")
    if schedule == "interleaved" and vpp == 1:
        schedule = "1f1b"
    model = tianji.load_model(draw(st.sampled_from(models())))
    if model.moe is None:
        ep = etp = 1
    precision = draw(st.sampled_from(["bf16", "bf16", "fp16", "fp32", "fp8", "mxfp8", "fp4"]))
    tokens = draw(st.sampled_from([None, "1T"]))
    batch = dp * draw(st.sampled_from([8, 16, 48]))
    job: Job = tianji.make_job(model, seq_len=2048, global_batch_size=batch, tokens=tokens, precision=precision)
    strategy = tianji.Strategy(
        tp=tp, pp=pp, vpp=vpp, cp=cp, ep=ep, etp=etp, dp=dp, schedule=schedule,
        micro_batch_size=draw(st.sampled_from([1, 1, 2])), zero=pick("zero", 0, 1, 1, 2, 3),
        zero_group=draw(st.sampled_from([0, 0, 2])), sequence_parallel=draw(st.booleans()) or tp == 1,
        recompute=draw(st.sampled_from(["none", "selective", "full"])),
        recompute_layers=draw(st.sampled_from([1.0, 1.0, 0.5])), cp_kind=pick("cp_kind", "ring", "ulysses", "all_gather"),
        ep_kind=pick("ep_kind", "deduplicated", "all_to_all"),
        overlap_dp=draw(st.booleans()), weight_gather=draw(st.sampled_from(["hidden", "hidden", "exposed"])),
        overlap_tp=pick("overlap_tp", False, True), overlap_pp=draw(st.booleans()), overlap_ep=draw(st.booleans()),
        flash_attention=draw(st.booleans()), offload_optimizer=draw(st.booleans()),
        placement=pick("placement", "dp-inside", "dp-inside", "pp-inside"),
    )  # fmt: skip
    pool_name = draw(st.sampled_from(pools))
    pool = tianji.load_pool(pool_name, strategy.chips)
    assume(not refusals(strategy, job, pool))
    return Plan(job, pool, strategy)
