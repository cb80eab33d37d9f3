"""A narrow search: the best strategy of one number of chips in a tenth of a second, for curves over many numbers.

First all layouts (pp, tp, cp, ep, dp) are priced under a few settings each; then the best few layouts are searched in full.
What it may lose to the exhaustive search is measured in the tests.
"""

from __future__ import annotations

import numpy as np

from tianji.hardware import Pool
from tianji.hardware.calibration import Constants
from tianji.parallel.grid import Grid
from tianji.parallel.layouts import DEFAULTS
from tianji.parallel.legality import is_legal
from tianji.parallel.strategy import CHOICES
from tianji.perf.memory import usable_memory
from tianji.perf.step import price
from tianji.search.exploration import Candidate, explore
from tianji.search.space import divisors
from tianji.units import Array
from tianji.workload import Job

KEEP = 6
"""Layouts that are searched in full."""
MIN_CONTEXT = 256
COLUMNS = ("pp", "tp", "cp", "ep", "dp", "vpp", "schedule")
DEGREES = COLUMNS[:5]


def find_fast(job: Job, pool: Pool, constants: Constants, keep: int = KEEP) -> Candidate | None:
    """Return a strategy that uses all chips and is near the fastest, or None when none is legal and fits the memory."""
    table = _layouts(job, pool)
    if not table.size:
        return None
    layouts = dict(zip(COLUMNS, table.T, strict=True))
    recompute = {"recompute": np.arange(len(CHOICES["recompute"]))}
    axes = (recompute, {"zero": np.array([1, 3])}, {"micro_batch_size": np.array([1, 2])}, layouts)
    grid = Grid.product(axes, DEFAULTS)
    cost, shape = price(job, pool, constants, grid), grid.shape
    fits = np.broadcast_to(is_legal(grid, job, pool) & (cost.memory_total <= usable_memory(pool)), shape)
    seconds = np.where(fits, np.broadcast_to(cost.step_time, shape), np.inf).reshape(-1, shape[-1]).min(axis=0)
    best: Candidate | None = None
    for degrees in _fastest(table, seconds, keep):
        found = explore(job, pool, constants, fixed=degrees, top=1)
        if found.best and (best is None or found.best[0].step_time < best.step_time):
            best = found.best[0]
    return best


def _fastest(table: Array, seconds: Array, keep: int) -> list[dict[str, int]]:
    chosen: dict[tuple[int, ...], None] = {}
    for place in np.argsort(seconds):
        if not np.isfinite(seconds[place]) or len(chosen) == keep:
            break
        chosen[tuple(int(v) for v in table[place, : len(DEGREES)])] = None
    return [dict(zip(DEGREES, degrees, strict=True)) for degrees in chosen]


def _layouts(job: Job, pool: Pool) -> Array:
    """Return every dealing of all chips to the degrees, each with the plain schedule and with the most interleaving."""
    model, chips = job.model, pool.chips
    plain, interleaved = CHOICES["schedule"].index("1f1b"), CHOICES["schedule"].index("interleaved")
    experts = divisors(model.moe.num_experts) if model.moe else [1]
    rows: list[tuple[int, ...]] = []
    for pp in (d for d in divisors(chips) if d <= model.num_layers):
        most = model.num_layers // pp
        chunks = max((v for v in range(1, most + 1) if model.num_layers % v == 0 or v & (v - 1) == 0), default=1)
        kinds = [(1, plain)] + ([(chunks, interleaved)] if pp > 1 and chunks > 1 else [])
        for tp in (d for d in divisors(chips // pp) if model.num_attention_heads % d == 0):
            for cp in divisors(chips // pp // tp):
                dp = chips // (pp * tp * cp)
                if job.global_batch_size % dp or (cp > 1 and cp * MIN_CONTEXT > job.seq_len):
                    continue
                spread = [ep for ep in experts if tp * cp * dp % ep == 0]
                rows += [(pp, tp, cp, ep, dp, *kind) for ep in spread for kind in kinds]
    return np.asarray(rows, dtype=np.int64).reshape(-1, len(COLUMNS))
