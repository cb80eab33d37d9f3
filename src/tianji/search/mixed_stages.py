"""Unlike chips one after the other: each pipeline runs through all parts, with fewer layers on the slower chips.

All parts share tp, cp, dp, ep and micro-batch; a part of C chips holds C / (tp · cp · dp) stages of every pipeline, and layers
are dealt out so that no stage holds up the others: first by the chips' peaks, then, for the fastest pipelines, exactly by what
layers, embedding and head take on each part's chips. What crosses the joint tier is one micro-batch's activations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from tianji.hardware import Pool
from tianji.hardware.constants import Constants
from tianji.hardware.mixture import Mixture
from tianji.parallel.grid import Grid
from tianji.parallel.legality import is_legal
from tianji.parallel.stages import Stages, read_stages
from tianji.parallel.strategy import Strategy
from tianji.perf.context import total
from tianji.perf.memory import usable_memory
from tianji.perf.segments import Segment
from tianji.perf.stages import Stage, make_stage
from tianji.perf.step import estimate_segments
from tianji.search.space import Space, divisors
from tianji.search.stages import find_joint_stages
from tianji.units import Array, Bytes, Seconds
from tianji.workload import Job, Model

NEARBY = 2
"""How many layers a part may get more or fewer than its speed suggests."""
LEADING = 8
"""Pipelines, the fastest of those that are dealt out by peaks, whose layers are then dealt out exactly."""
SCHEDULES = ("1f1b", "zero-bubble")


@dataclass(frozen=True, slots=True)
class Chain:
    """One strategy over all parts, with the layers of every stage."""

    strategy: Strategy
    pools: tuple[Pool, ...]
    layers: tuple[tuple[int, ...], ...]
    """Layers of each stage of each part, in the order of the pipeline."""
    step_time: Seconds
    memory: tuple[Bytes, ...]
    """Bytes on the fullest chip of each part."""
    breakdown: Mapping[str, Seconds]


def chain_stages(
    job: Job,
    mixture: Mixture,
    constants: Callable[[Pool], Constants],
    fixed: Mapping[str, Any],
    progress: Callable[[int], None] | None = None,
    *,
    is_narrow: bool = False,
) -> Chain | None:
    """Return the fastest pipeline through all parts, in their order or the other way round; None when none fits."""
    named = read_stages(fixed["stages"]) if fixed.get("stages") else None
    settings = {field: value for field, value in fixed.items() if field != "stages"}
    leading: list[Chain] = []
    counted = 0
    for pools in (mixture.parts, mixture.parts[::-1]):
        for grid, stages in _grids(job, pools, settings):
            splits = _splits(job, pools, stages, 0 if is_narrow else NEARBY) if named is None else _named(named, stages)
            best: Chain | None = None
            for layers in splits:
                best = _fastest(job, mixture, pools, constants, grid, layers, best) or best
                counted += int(np.prod(grid.shape))
                if progress:
                    progress(counted)
            leading += [best] if best else []
    leading = sorted(leading, key=lambda chain: chain.step_time)[: 1 if is_narrow else LEADING]
    exact = [] if named else [_deal_exactly(job, mixture, constants, chain) for chain in leading]
    return min([*leading, *filter(None, exact)], key=lambda chain: chain.step_time, default=None)


def _deal_exactly(job: Job, mixture: Mixture, constants: Callable[[Pool], Constants], chain: Chain) -> Chain | None:
    """Return a pipeline with the layers that make its slowest stage fastest; None where it is no faster so."""
    parts = [(pool, constants(pool), len(part)) for pool, part in zip(chain.pools, chain.layers, strict=True)]
    dealt = find_joint_stages(job, parts, chain.strategy)
    if dealt is None:
        return None
    layers = _part(dealt, tuple(map(len, chain.layers)))
    return _fastest(job, mixture, chain.pools, constants, Grid.of(chain.strategy), layers, chain)


def _named(named: Stages, stages: tuple[int, ...]) -> list[tuple[tuple[int, ...], ...]]:
    """Return the layers of every stage as they are named, where there are as many."""
    return [_part(named.layers, stages)] if len(named.layers) == sum(stages) else []


def _part(layers: tuple[int, ...], stages: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Return the layers of all stages, part by part."""
    ends = list(accumulate(stages, initial=0))
    return tuple(layers[a:b] for a, b in pairwise(ends))


def _grids(job: Job, pools: tuple[Pool, ...], fixed: Mapping[str, Any]) -> Iterator[tuple[Grid, tuple[int, ...]]]:
    """Yield grids of strategies with the number of stages that each part has under all of them."""
    common = int(np.gcd.reduce([pool.chips for pool in pools]))
    whole = replace(pools[0], chips=sum(pool.chips for pool in pools), max_chips=0)
    for width in divisors(common):
        stages = tuple(pool.chips // width for pool in pools)
        if sum(stages) > job.model.num_layers or fixed.get("pp", sum(stages)) != sum(stages):
            continue
        for schedule in [fixed["schedule"]] if "schedule" in fixed else SCHEDULES:
            settings = {**fixed, "pp": sum(stages), "schedule": schedule, "placement": "dp-inside"}
            for grid in Space(job, whole, settings, {"offload_optimizer": (False,)}).slices():
                yield grid, stages


def _splits(
    job: Job, pools: tuple[Pool, ...], stages: tuple[int, ...], nearby: int
) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Yield layers of every stage: in proportion to the chips' peaks, and a few layers either way."""
    total = job.model.num_layers
    speeds = [n * pool.chip.matrix_peak(job.precision.linear) for n, pool in zip(stages, pools, strict=True)]
    fair = [s / sum(speeds) * total for s in speeds[:-1]]
    choices = [sorted({round(f) + move for move in _moves(n, nearby)}) for f, n in zip(fair, stages, strict=False)]
    for firsts in np.array(np.meshgrid(*choices)).T.reshape(-1, len(fair)):
        counts = [*map(int, firsts), total - int(firsts.sum())]
        if all(count >= n for count, n in zip(counts, stages, strict=True)):
            yield tuple(_deal(count, n) for count, n in zip(counts, stages, strict=True))


def _moves(stages: int, nearby: int) -> list[int]:
    """Layers more or fewer: single ones, and whole rounds over all stages of the part."""
    return [0, *(sign * k * step for k in range(1, nearby + 1) for step in {1, stages} for sign in (1, -1))]


def _deal(layers: int, stages: int) -> tuple[int, ...]:
    """Return the layers of each stage; what does not divide goes to the middle ones."""
    base, rest = divmod(layers, stages)
    first = (stages - rest) // 2
    return tuple(base + (first <= i < first + rest) for i in range(stages))


def _fastest(
    job: Job,
    mixture: Mixture,
    pools: tuple[Pool, ...],
    constants: Callable[[Pool], Constants],
    grid: Grid,
    layers: tuple[tuple[int, ...], ...],
    best: Chain | None,
) -> Chain | None:
    """Return the fastest of a grid that is legal, fits every part and beats ``best``."""
    dealt = zip(pools, find_stages(job.model, layers), strict=True)
    segments = [Segment.of(job, pool, constants(pool), stages) for pool, stages in dealt]
    terms, memories = estimate_segments(job, segments, mixture.joint, grid)
    whole = replace(pools[0], chips=mixture.chips, max_chips=0)
    usable = is_legal(grid, job, whole)
    for pool, memory in zip(pools, memories, strict=True):
        usable = usable & (memory <= usable_memory(pool))
    times = np.where(np.broadcast_to(usable, grid.shape), total(terms), np.inf)
    place = np.unravel_index(int(np.argmin(times)), times.shape)
    if not times[place] < (np.inf if best is None else best.step_time):
        return None

    def at(values: Array) -> float:
        return float(np.broadcast_to(values, grid.shape)[place])

    return Chain(
        grid.at(tuple(int(i) for i in place)), pools, layers, float(times[place]), tuple(map(at, memories)),
        {kind: at(seconds) for kind, seconds in terms.items()},
    )  # fmt: skip


def find_stages(model: Model, layers: tuple[tuple[int, ...], ...]) -> Iterator[tuple[Stage, ...]]:
    """Yield the stages of each part: leading dense layers first, embedding on the first stage, head on the last."""
    count, index, before = np.asarray(sum(map(len, layers))), 0, 0
    for part in layers:
        stages: list[Stage] = []
        for n in part:
            stages.append(make_stage(model, count, np.asarray(index), np.asarray(before), np.asarray(n)))
            index, before = index + 1, before + n
        yield tuple(stages)
