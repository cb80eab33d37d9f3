"""Unlike chips one after the other: each pipeline runs through all parts, with fewer layers on the slower chips.

All parts share tp, cp, dp, ep and micro-batch; a part of C chips holds C / (tp · cp · dp) stages of every pipeline, and layers
are dealt out so that no stage holds up the others. What crosses the joint tier is one micro-batch's activations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tianji.hardware import Pool
from tianji.hardware.constants import Constants
from tianji.hardware.mixture import Mixture
from tianji.parallel.grid import Grid
from tianji.parallel.legality import is_legal
from tianji.parallel.strategy import Strategy
from tianji.perf.context import total
from tianji.perf.memory import usable_memory
from tianji.perf.segments import Segment
from tianji.perf.stages import Stage, make_stage
from tianji.perf.step import estimate_segments
from tianji.search.space import Space, divisors
from tianji.units import Array, Bytes, Seconds
from tianji.workload import Job, Model

NEARBY = 2
"""How many layers a part may get more or fewer than its speed suggests."""
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
    best: Chain | None = None
    counted = 0
    for pools in (mixture.parts, mixture.parts[::-1]):
        for grid, stages in _grids(job, pools, fixed):
            for layers in _splits(job, pools, stages, 0 if is_narrow else NEARBY):
                chain = _fastest(job, mixture, pools, constants, grid, layers, best)
                best = chain or best
                counted += int(np.prod(grid.shape))
                if progress:
                    progress(counted)
    return best


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
