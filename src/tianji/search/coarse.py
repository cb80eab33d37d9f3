"""A narrow search: the best strategy of one number of chips in a fraction of a second, for curves over many numbers.

First every dealing of the chips to the degrees is priced under a few settings each: a spread of micro-batches, each amount of
recomputation, the levels of ZeRO and the schedules that win. Then the best few are searched in full. What it may lose to the
exhaustive search is measured in the tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tianji.hardware import Pool
from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid, keep_places
from tianji.parallel.legality import is_legal
from tianji.parallel.strategy import CHOICES, SWITCHES, Strategy
from tianji.perf.compute import ChipRates
from tianji.perf.memory import usable_memory
from tianji.perf.passes import Layers, keep_layers
from tianji.perf.step import estimate_job_layers, least_time
from tianji.search.blocks import Weighed, estimated_blocks
from tianji.search.candidate import Candidate
from tianji.search.exhaustive import ROUNDING
from tianji.search.options import MARGIN
from tianji.search.space import (
    MAX_EXPERT_TENSOR,
    MAX_MICRO_BATCH,
    MAX_MICRO_TOKENS,
    MIN_CONTEXT,
    chunk_counts,
    divisors,
)
from tianji.search.variants import find_fastest
from tianji.units import Array, Seconds
from tianji.workload import Job
from tianji.workload.model_flops import job_flops

KEEP = 4
"""Degrees that are searched in full, at most."""
SMALL, LARGE = 3, 3
"""Micro-batches that are tried at first: the smallest, and so many more up to the largest."""
Schedules = tuple[tuple[str, int], ...]
"""Schedules, and which count of chunks each has: 1 the most, 2 the next to it, and so on; 0 for no interleaving."""
FLAT: tuple[Schedules, tuple[int, ...]] = ((("1f1b", 0),), (1, 2, 3))
"""Schedules and levels of ZeRO that are tried without a pipeline."""
PIPED: tuple[Schedules, tuple[int, ...]] = (
    (("zero-bubble", 0), ("dualpipe", 0), ("interleaved", 1), ("interleaved", 3)), (1, 3),
)  # fmt: skip
MOST_EXPERTS = 32
"""Experts of a layer that one rank holds at most: more fill its memory."""
EVEN = 1.1
"""Stages of smaller dealings: so many times the layers, at most, fill all stages alike."""
FEW = 64
"""Chips up to which smaller dealings are all dealings."""
REPLICAS = 2
"""Numbers of replicas of each smaller dealing, the largest ones."""
LEAST_SHARE = 0.5
"""Of the chips, what a smaller dealing uses at least."""
MANY = 100_000
"""Strategies beyond which the most promising ones are estimated first."""
FIRST = 8
"""Of so many settings one is among the most promising."""
CELLS = 400_000
"""Strategies that are priced at once: few enough for the cache."""
DEGREES = ("pp", "tp", "cp", "dp")
COLUMNS = (*DEGREES, "cp_kind")
Start = tuple[float, dict[str, int]]
"""A dealing of the chips to the degrees, with its step time under a few settings."""


def find_roomy(
    job: Job, pool: Pool, constants: Constants, *, at_most: bool = False, fixed: Mapping[str, Any] | None = None
) -> Candidate | None:
    """Return what :func:`find_fast` does of the strategies that leave MARGIN of the memory free; where none does, of all.

    Its stages are named where that makes it faster.
    """
    tight = replace(pool, usable_memory=pool.usable_memory * (1.0 - MARGIN))
    roomy = find_fast(job, tight, constants, at_most=at_most, fixed=fixed, names_stages=True)
    return roomy or find_fast(job, pool, constants, at_most=at_most, fixed=fixed, names_stages=True)


def find_fast(
    job: Job, pool: Pool, constants: Constants, keep: int = KEEP, *, at_most: bool = False,
    fixed: Mapping[str, Any] | None = None, names_stages: bool = False,
) -> Candidate | None:  # fmt: skip
    """Return a strategy that is near the fastest, or None when none is legal and fits the memory.

    It uses all chips, or with ``at_most`` as many of them as make it fastest. ``fixed`` holds strategy fields that are no degree.
    With ``names_stages`` pipelines that their best stages would make the fastest get them.
    """
    settled = dict(fixed or {})
    starts = _rank(job, pool, constants, _layouts(job, pool), settled, keep)
    if at_most:
        bar = starts[keep - 1][0] if len(starts) >= keep else float("inf")
        smaller = rank_dealings(job, pool, constants, settled, keep, smaller=True, bar=bar)
        starts = sorted([*starts, *smaller], key=lambda pair: pair[0])
    dealings = [settled | degrees for _, degrees in starts[:keep]]
    return find_fastest(job, pool, constants, dealings, names_stages=names_stages)


def rank_dealings(
    job: Job, pool: Pool, constants: Constants, fixed: Mapping[str, Any], keep: int, *, smaller: bool,
    bar: Seconds = float("inf"),
) -> list[Start]:  # fmt: skip
    """Return the fastest dealings of all chips, or of a smaller number, each with its step time under a few settings.

    ``fixed`` holds strategy fields to values; those that are no degree do not count here. Dealings that cannot take ``bar``
    seconds or less may be left out.
    """
    table = _smaller_layouts(job, pool) if smaller else _layouts(job, pool)
    chips = table[:, : len(DEGREES)].prod(axis=1)
    return _rank(job, pool, constants, table[chips >= least_chips(job, pool, constants, bar)], fixed, keep, bar)


def least_chips(job: Job, pool: Pool, constants: Constants, step_time: Seconds) -> float:
    """Return a number of chips below which no strategy reaches a step time: all FLOPs at the rate of endless operands.

    0 where chips share processors, as one that waits then lends its own to others.
    """
    if constants.sharing != 1.0:
        return 0.0
    rates = ChipRates.of(pool.chip, job.precision, constants)
    fastest = max(rates.linear.peak, rates.high.peak, rates.attention)
    return job_flops(job) * constants.software / (fastest * step_time)


def _rank(
    job: Job, pool: Pool, constants: Constants, table: Array, fixed: Mapping[str, Any], keep: int,
    bar: Seconds = float("inf"),
) -> list[Start]:  # fmt: skip
    """Return the fastest degrees of a table of dealings, each with its step time under a few settings."""
    for name, value in ((name, value) for name, value in fixed.items() if name in COLUMNS):
        code = CHOICES[name].index(str(value)) if name in CHOICES else int(value)
        table = table[table[:, COLUMNS.index(name)] == code]
    settings = Strategy(**{name: value for name, value in fixed.items() if name in SWITCHES or name == "ep_kind"})
    tried = _settings(job, pool, table, settings)
    starts = [pair for few in tried for pair in _fastest(job, pool, constants, few, keep, bar)]
    return sorted(starts, key=lambda pair: pair[0])


@dataclass(frozen=True, slots=True)
class _Settings:
    """What is tried of some dealings: a grid whose last axis has the legal settings of each."""

    grid: Grid
    product: Grid
    """The grid that they are taken from, with axes for schedule, experts and dealing."""
    legal: Array
    """Where the product keeps all rules."""
    places: tuple[Array, Array, Array]
    """Of each place of the last axis its schedule, its experts and its dealing."""
    experts: Mapping[str, Array]
    dealings: Mapping[str, Array]

    def keep(self, kept: Array) -> _Settings:
        """Return some places of the last axis."""
        first, second, third = (places[kept] for places in self.places)
        return replace(self, grid=self.grid.keep(kept), places=(first, second, third))


def _fastest(job: Job, pool: Pool, constants: Constants, tried: _Settings, keep: int, bar: Seconds) -> list[Start]:
    """Return the fastest degrees of some dealings, each with its step time; those above ``bar`` may be left out.

    The most promising settings of many are estimated first: what takes longer than they do, by an even share of all passes, is
    then left out.
    """
    layers = estimate_job_layers(job, pool, constants, tried.product)
    least = keep_places(least_time(job, constants, tried.product, layers), tried.places)
    if np.isfinite(bar):
        near: Array = np.any(np.broadcast_to(least <= bar * (1.0 + ROUNDING), tried.grid.shape), axis=(0, 1, 2))
        tried, least = tried.keep(near), keep_places(least, (np.flatnonzero(near),))
    if not len(tried.places[0]):
        return []
    weighed = Weighed.of(job, pool, constants, tried.grid, keep_places(tried.legal, tried.places))
    fits = weighed.fits(usable_memory(pool))
    if not fits.any():
        return []
    least = np.where(fits, least, np.inf)
    bounds = least.min(axis=(0, 1, 2))
    chosen: dict[tuple[int, ...], Seconds] = {}
    seconds = np.full(len(bounds), np.inf)
    first = np.partition(bounds, len(bounds) // FIRST)[len(bounds) // FIRST] if fits.size > MANY else np.inf
    for part in (bounds <= first, bounds > first):
        reach = min([bar, *list(chosen.values())[keep - 1 :]]) * (1.0 + ROUNDING)
        worth = np.isfinite(least) & (least <= reach) & part
        columns = worth.any(axis=(0, 1, 2))
        if columns.any():
            here = keep_layers(layers, tuple(places[columns] for places in tried.places))
            seconds[columns] = _estimate_least(job, pool, constants, weighed.keep(columns), worth[..., columns], here)
            chosen = _choose(tried, seconds, keep)
    return [(least, dict(zip((*DEGREES, "ep"), key, strict=True))) for key, least in chosen.items()]


def _estimate_least(
    job: Job, pool: Pool, constants: Constants, weighed: Weighed, worth: Array, layers: Layers
) -> Array:
    """Return the least step time of each column of a grid among what is worth it and fits the memory."""
    limit, width = usable_memory(pool), weighed.grid.shape[-1]
    least = np.full(width, np.inf)
    wanted: Array = np.any(worth, axis=-2)
    for block in estimated_blocks(job, pool, constants, weighed, worth=wanted, layers=layers):
        columns = np.arange(width) if block.columns is None else block.columns
        fitting = np.where(block.legal & (block.memory <= limit), block.step_time, np.inf)
        least[columns] = np.minimum(least[columns], fitting.reshape(-1, len(columns)).min(axis=0))
    return least


def _choose(tried: _Settings, least: Array, keep: int) -> dict[tuple[int, ...], Seconds]:
    """Return the fastest degrees with their step times, from the least step time of each place."""
    eps, dealings = tried.experts["ep"], tried.dealings
    seconds = np.full((len(eps), len(dealings["dp"])), np.inf)
    np.minimum.at(seconds, tried.places[1:], least)
    chosen: dict[tuple[int, ...], Seconds] = {}
    for place in np.argsort(seconds, axis=None):
        expert, layout = np.unravel_index(place, seconds.shape)
        if len(chosen) == keep or not np.isfinite(seconds[expert, layout]):
            break
        key = (*(int(dealings[name][layout]) for name in DEGREES), int(eps[expert]))
        chosen.setdefault(key, float(seconds[expert, layout]))
    return chosen


def _settings(job: Job, pool: Pool, table: Array, settings: Strategy) -> Iterator[_Settings]:
    """Yield the settings that are tried of every dealing of a table: first those without a pipeline."""
    experts = _experts(job)
    recompute = {"recompute": np.arange(len(CHOICES["recompute"]))}
    sizes = {"micro_batch_size": np.arange(SMALL + LARGE)}
    for rows, (schedules, levels) in ((table[table[:, 0] == 1], FLAT), (table[table[:, 0] > 1], PIPED)):
        codes = np.asarray([CHOICES["schedule"].index(word) for word, _ in schedules])
        outer = recompute, {"zero": np.asarray(levels)}, sizes
        axes = (*outer, {"schedule": codes}, experts)
        step = max(CELLS // int(np.prod([len(next(iter(axis.values()))) for axis in axes])), 1)
        for start in range(0, len(rows), step):
            part = dict(zip(COLUMNS, rows[start : start + step].T, strict=True))
            part["sequence_parallel"] = np.equal(job.seq_len % (part["tp"] * part["cp"]), 0)
            micro, vpp = _micro_batches(job, part["dp"]), _chunks(job, part["pp"], schedules)
            product = Grid.product((*axes, part), settings)
            whole = replace(product, micro_batch_size=micro[:, None, None], vpp=vpp[:, None])
            legal = np.broadcast_to(is_legal(whole, job, pool), whole.shape)
            schedule, expert, dealing = np.nonzero(legal.any(axis=(0, 1, 2)))
            if not len(dealing):
                continue
            # Most settings are illegal: what is left of them stands on one axis.
            columns = {name: values[dealing] for name, values in part.items()}
            columns |= {name: values[expert] for name, values in experts.items()}
            columns |= {"schedule": codes[schedule], "vpp": vpp[schedule, dealing]}
            grid = replace(Grid.product((*outer, columns), settings), micro_batch_size=micro[:, dealing])
            yield _Settings(grid, whole, legal, (schedule, expert, dealing), experts, part)


def _layouts(job: Job, pool: Pool) -> Array:
    """Return every dealing of all chips to the degrees, each kind of context parallelism apart."""
    model, chips = job.model, pool.chips
    rows: list[tuple[int, ...]] = []
    for pp in (d for d in divisors(chips) if d <= model.num_layers):
        for tp in (d for d in divisors(chips // pp) if model.num_attention_heads % d == 0):
            for cp in divisors(chips // pp // tp):
                dp = chips // (pp * tp * cp)
                if job.global_batch_size % dp or (cp > 1 and cp * MIN_CONTEXT > job.seq_len):
                    continue
                kinds = ("ring", "ulysses") if cp > 1 and model.num_attention_heads % (tp * cp) == 0 else ("ring",)
                rows += [(pp, tp, cp, dp, CHOICES["cp_kind"].index(kind)) for kind in kinds]
    return np.asarray(rows, dtype=np.int64).reshape(-1, len(COLUMNS))


def _smaller_layouts(job: Job, pool: Pool) -> Array:
    """Return dealings of fewer chips: for each way to cut one replica the most replicas that the batch and the chips allow.

    Beyond FEW chips pipelines are those that spread the layers evenly, and context is cut by powers of two.
    """
    model, chips, batch = job.model, pool.chips, job.global_batch_size
    replicas = divisors(batch)
    even, share, kept = (EVEN, LEAST_SHARE, REPLICAS) if chips > FEW else (float("inf"), 0.0, len(replicas))
    stages = [p for p in range(1, model.num_layers + 1) if -(-model.num_layers // p) * p <= even * model.num_layers]
    most = min(max(job.seq_len // MIN_CONTEXT, 1), chips)
    contexts = range(1, most + 1) if chips <= FEW else [2**k for k in range(most.bit_length())]
    cuts = np.asarray(np.meshgrid(stages, divisors(model.num_attention_heads), contexts, indexing="ij"))
    cuts = cuts.reshape(3, -1)[:, cuts.prod(axis=0).ravel() <= chips]
    # Axes: the ways to cut a replica, the last numbers of replicas that there is room for, kinds of context parallelism.
    pp, tp, cp = cuts[:, :, None, None]
    back, kind = np.arange(-kept, 0)[:, None], np.arange(2)
    number = np.searchsorted(replicas, chips // (pp * tp * cp), side="right") + back
    dp = np.asarray(replicas)[np.maximum(number, 0)]
    used, cuts_heads = pp * tp * cp * dp, (cp > 1) & (model.num_attention_heads % (tp * cp) == 0)
    there = (number >= 0) & (used >= share * chips) & (used < chips) & ((kind == 0) | cuts_heads)
    codes = np.asarray([CHOICES["cp_kind"].index(word) for word in ("ring", "ulysses")])
    columns = np.broadcast_arrays(pp, tp, cp, dp, codes[kind])
    return np.stack([column[there] for column in columns], axis=1).astype(np.int64)


def _experts(job: Job) -> dict[str, Array]:
    """Return the expert degrees: an expert is cut only where all of them are spread already, as spreading costs less."""
    moe = job.model.moe
    pairs = [(1, 1)]
    if moe is not None:
        pairs = [(ep, 1) for ep in divisors(moe.num_experts) if ep * MOST_EXPERTS >= moe.num_experts]
        pairs += [(moe.num_experts, n) for n in divisors(moe.intermediate_size) if 1 < n <= MAX_EXPERT_TENSOR]
    eps, etps = np.asarray(pairs).T
    return {"ep": eps, "etp": etps}


def _micro_batches(job: Job, dp: Array) -> Array:
    """Return a few micro-batches of each dealing: (micro-batches, dealings)."""
    most = max(MAX_MICRO_BATCH, MAX_MICRO_TOKENS // job.seq_len)
    sizes = {n: _some([b for b in divisors(job.global_batch_size // n) if b <= most]) for n in set(dp.tolist())}
    return np.asarray([sizes[n] for n in dp.tolist()]).reshape(len(dp), SMALL + LARGE).T


def _some(sizes: list[int]) -> list[int]:
    """Return the smallest sizes and some up to the largest, which stands again where there are too few.

    >>> _some([1, 2, 3, 5, 6, 10, 15]), _some([1, 2])
    ([1, 2, 3, 5, 6, 15], [1, 2, 2, 2, 2, 2])
    """
    places = [*range(SMALL), *np.linspace(SMALL, max(len(sizes) - 1, SMALL), LARGE).round().astype(int).tolist()]
    return [sizes[min(place, len(sizes) - 1)] for place in places]


def _chunks(job: Job, pp: Array, schedules: Schedules) -> Array:
    """Return the chunks of each schedule and dealing: (schedules, dealings)."""
    counts = {n: chunk_counts(job.model.num_layers, n) or [1] for n in set(pp.tolist())}
    rows = [[counts[n][-min(place, len(counts[n]))] if place else 1 for n in pp.tolist()] for _, place in schedules]
    return np.asarray(rows).reshape(len(schedules), len(pp))
