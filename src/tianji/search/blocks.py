"""A priced grid, block by block: sums over all axes are taken a cacheful at a time.

The terms of a price keep the small shapes that they depend on. Added up over a whole grid they would fill arrays far larger than
the processor's cache, and moving those would take most of the time of a search.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from tianji.hardware import Pool
from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid
from tianji.parallel.legality import is_legal
from tianji.perf.context import add_up
from tianji.perf.step import estimate
from tianji.units import Array
from tianji.workload import Job

BLOCK = 100_000
"""Strategies of one block: a few arrays of them fit a core's cache."""


Index = tuple[int | slice, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Strategies of a grid that stand side by side in it, in its order, along one axis."""

    start: int
    """Place of the first one in the whole grid, all axes laid end to end."""
    legal: Array
    step_time: Array
    memory: Array
    uneven: Array | None = None
    """Seconds of a step by which the slowest stage works longer than an even share, where they were asked for."""


def priced_blocks(
    job: Job, pool: Pool, constants: Constants, grid: Grid, *, weighs_stages: bool = False
) -> Iterator[Block]:
    """Yield all strategies of a grid, legal or not, with time and memory, and how uneven their stages are."""
    cost, shape = estimate(job, pool, constants, grid, by_kind=False, weighs_stages=weighs_stages), grid.shape
    bubble = cost.bubble
    legal = is_legal(grid, job, pool) & cost.fits_host(pool.chip)
    parts = _shorten(cost.parts.values(), shape)
    stages = [_shorten(parts.values(), shape) for parts in cost.memory]
    start = 0
    for index, part in _indices(shape):
        memory = _largest([add_up(_take(terms, index)) for terms in stages])
        time = add_up([*_take(parts, index), bubble.put_together(_take(bubble.factors, index))])
        values_of_block = [*_take([legal], index), time, memory]
        if weighs_stages:
            values_of_block += _take([np.asarray(bubble.uneven)], index)
        yield Block(start, *(np.broadcast_to(values, part).ravel() for values in values_of_block))
        start += prod(part)


def _indices(shape: tuple[int, ...]) -> Iterator[tuple[Index, tuple[int, ...]]]:
    """Yield the index and the shape of each block: one place on the leading axes, a few on the next, all of the others."""
    split = next(k for k in range(len(shape)) if prod(shape[k + 1 :]) <= BLOCK)
    length, rest = shape[split], shape[split + 1 :]
    step = max(BLOCK // prod(rest), 1)
    for lead in np.ndindex(shape[:split]):
        for start in range(0, length, step):
            yield (*lead, slice(start, start + step)), (min(step, length - start), *rest)


def _shorten(terms: Iterable[Array], shape: tuple[int, ...]) -> list[Array]:
    """Add up the first terms for as long as the sum is smaller than the grid, and then the others likewise."""
    sums: list[Array] = []
    for term in terms:
        if sums and np.broadcast(sums[-1], term).shape != shape:
            sums[-1] = sums[-1] + term
        else:
            sums.append(term)
    return sums


def _take(terms: Sequence[Array], index: Index) -> list[Array]:
    """Return the part of each term in a block; an axis on which a term does not vary has one place for all."""
    one = (0, slice(None))
    return [
        t[tuple(i if size > 1 else one[isinstance(i, slice)] for i, size in zip(index, t.shape, strict=False))]
        for t in terms
    ]


def _largest(values: list[Array]) -> Array:
    first, *rest = values
    for other in rest:
        first = np.maximum(first, other)
    return first
