"""Why a search found nothing: the closest miss, or the rule that no strategy keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tianji.errors import IllegalStrategyError, InfeasibleError
from tianji.hardware import Pool
from tianji.parallel.legality import refusals
from tianji.parallel.strategy import Strategy
from tianji.perf.memory import usable_memory
from tianji.search.exhaustive import SearchResult
from tianji.units import show
from tianji.workload import Job


def explain_failure(job: Job, pool: Pool, fixed: Mapping[str, Any], misses: Sequence[SearchResult]) -> Exception:
    """Return the error of searches that found nothing: with the closest miss, where one is legal."""
    closest = [search.closest for search in misses if search.closest]
    fields = ", ".join(f"{k}={v}" for k, v in fixed.items())
    holding = f" with {fields}" if fields else ""
    if not closest:
        return IllegalStrategyError(
            f"no legal strategy for {job.model.name} on {pool.chips:,} chips{holding} and a global batch of"
            f" {job.global_batch_size}: {_why_illegal(job, pool, fixed)}"
        )
    best = min(closest, key=lambda c: c.memory)
    limit = usable_memory(pool)
    names = ("tp", "pp", "cp", "ep", "dp", "zero", "micro_batch_size", "recompute")
    layout = " ".join(f"{n}={getattr(best.strategy, n)}" for n in names)
    return InfeasibleError(
        f"no plan for {job.model.name} fits {pool.chips:,} chips of {pool.name}{holding}: the closest ({layout}) needs"
        f" {show(best.memory, 'bytes')} on a chip, {show(best.memory - limit, 'bytes')} more than the usable"
        f" {show(limit, 'bytes')}. Take more chips, a shorter --seq, a narrower --precision, keep the optimizer in host memory"
        " (--fix offload_optimizer=1), or release what --fix holds."
    )


def _why_illegal(job: Job, pool: Pool, fixed: Mapping[str, Any]) -> str:
    known = {k: v for k, v in fixed.items() if k not in ("dp",)}
    try:
        probe = Strategy(**known)
    except TypeError:
        return "check the fixed fields"
    degrees, reasons = probe.tp * probe.pp * probe.cp, []
    if pool.chips % degrees:
        # No number of replicas goes with it: any would only add reasons that nobody asked for.
        reasons, rest = [f"tp·pp·cp = {degrees} does not divide {pool.chips:,} chips"], 1
    else:
        rest = pool.chips // degrees
    whole = job.seq_len % (probe.tp * probe.cp) == 0
    filled = {"dp": rest, "sequence_parallel": whole} | {
        k: v for k, v in fixed.items() if k in ("dp", "sequence_parallel")
    }
    reasons += refusals(replace(probe, **filled), job, pool)
    return "; ".join(reasons) or "chips, batch and degrees do not divide each other; try another --batch or --chips"
