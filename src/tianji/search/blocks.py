"""A priced grid, block by block: sums over all axes are taken a cacheful at a time.

A grid is weighed first: where it is legal, and what each chip holds. What is then left of it is priced.

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
from tianji.parallel.grid import Grid, keep_places
from tianji.parallel.legality import is_legal
from tianji.perf.context import add_up, largest
from tianji.perf.passes import Layers
from tianji.perf.pipeline_stages import representative_stages
from tianji.perf.step import estimate_memory, estimate_parts, fits_host
from tianji.units import Array, Bytes
from tianji.workload import Job

BLOCK = 100_000
"""Strategies of one block: a few arrays of them fit a core's cache."""


Index = tuple[int | slice, ...]
_Place = tuple[int, Index, tuple[int, ...], Array | None]
"""Where a block starts, its index, its shape, and which columns it has (None: all of the index)."""


@dataclass(frozen=True, slots=True)
class Block:
    """Strategies of a grid in its order, along one axis."""

    grid: Grid
    start: int
    """Place of the first one in the whole grid, all axes laid end to end; of the first column where only some are there."""
    legal: Array
    step_time: Array
    memory: Array
    uneven: Array | None = None
    """Seconds of a step by which the slowest stage works longer than an even share, where they were asked for."""
    columns: Array | None = None
    """The places of the last axis that are there, in each row; None where the strategies stand side by side."""

    def places(self, chosen: Array) -> Array:
        """Return the places of some of the strategies in the whole grid."""
        if self.columns is None:
            return self.start + chosen
        rows, columns = np.divmod(chosen, len(self.columns))
        places: Array = self.start + rows * self.grid.shape[-1] + self.columns[columns]
        return places


@dataclass(frozen=True, slots=True)
class Weighed:
    """A grid of which is known what is legal and what it holds."""

    grid: Grid
    legal: Array
    """Where a strategy keeps all rules, and the host's memory holds what is offloaded to it."""
    stages: list[list[Array]]
    """Bytes of each stage that was looked at, as summands."""

    @classmethod
    def of(cls, job: Job, pool: Pool, constants: Constants, grid: Grid, legal: Array | None = None) -> Weighed:
        """Return a grid with its memory; ``legal`` where the rules were asked before."""
        stages, shape = representative_stages(job.model, grid), grid.shape
        memory = estimate_memory(job, constants, grid, stages)
        by_rules = is_legal(grid, job, pool) if legal is None else legal
        return cls(
            grid,
            by_rules & fits_host(job, pool.chip, grid, stages),
            [_shorten(parts.values(), shape) for parts in memory],
        )

    def memory(self, index: Index, columns: Array | None = None) -> Array:
        """Return the bytes on the fullest chip in a block."""
        return largest([add_up(_take(terms, index, columns)) for terms in self.stages])

    def fits(self, limit: Bytes) -> Array:
        """Return where a strategy is legal and fits so much memory, over the whole grid."""
        fits = np.empty(self.grid.shape, dtype=bool)
        for index, _ in _indices(fits.shape):
            fits[index] = self.memory(index) <= limit
        fits &= self.legal
        return fits

    def least_memory(self, axes: tuple[int, ...]) -> Array:
        """Return bytes that no strategy is below, whatever stands along some axes, which have one place then."""
        return largest([add_up(term.min(axis=axes, keepdims=True) for term in terms) for terms in self.stages])

    def keep(self, kept: Array) -> Weighed:
        """Return what is kept of the last axes, as many as ``kept`` has, along one axis."""
        index = np.nonzero(kept)
        stages = [[keep_places(term, index) for term in terms] for terms in self.stages]
        return Weighed(self.grid.keep(kept), keep_places(self.legal, index), stages)

    def smallest(self) -> tuple[int, Bytes]:
        """Return the place of the legal strategy that needs least memory, all axes laid end to end, and its bytes."""
        shape = self.grid.shape
        memory = np.concatenate([np.broadcast_to(self.memory(index), part).ravel() for index, part in _indices(shape)])
        place = int(np.argmin(np.where(np.broadcast_to(self.legal, shape).ravel(), memory, np.inf)))
        return place, float(memory[place])


def estimated_blocks(
    job: Job, pool: Pool, constants: Constants, weighed: Weighed, *, weighs_stages: bool = False,
    worth: Array | None = None, layers: Layers | None = None,
) -> Iterator[Block]:  # fmt: skip
    """Yield all strategies of a grid, legal or not, with time and memory, and how uneven their stages are.

    ``worth`` names those that may be left out of a large grid, where it is False: by all axes but the one before the last, which
    stays whole. ``layers`` are those of the grid, where they are known.
    """
    grid, shape = weighed.grid, weighed.grid.shape
    terms, bubble = estimate_parts(
        job, pool, constants, grid, by_kind=False, weighs_stages=weighs_stages, layers=layers
    )
    parts = _shorten(terms.values(), shape)
    for start, index, part, columns in (
        _everywhere(shape) if worth is None or prod(shape) <= 2 * BLOCK else _where(worth, shape)
    ):
        memory = weighed.memory(index, columns)
        time = add_up([*_take(parts, index, columns), bubble.put_together(_take(bubble.factors, index, columns))])
        values_of_block = [*_take([weighed.legal, np.asarray(bubble.uneven)], index, columns), time, memory]
        legal, uneven, time, memory = (np.broadcast_to(values, part).ravel() for values in values_of_block)
        yield Block(grid, start, legal, time, memory, uneven if weighs_stages else None, columns)


def _everywhere(shape: tuple[int, ...]) -> Iterator[_Place]:
    """Yield blocks that are the whole grid together."""
    start = 0
    for index, part in _indices(shape):
        yield start, index, part, None
        start += prod(part)


def _where(worth: Array, shape: tuple[int, ...]) -> Iterator[_Place]:
    """Yield blocks of the columns that are worth it, of each place on the leading axes."""
    rows, width = shape[-2:]
    step = max(BLOCK // rows, 1)
    for number, lead in enumerate(np.ndindex(shape[:-2])):
        columns = np.flatnonzero(worth[lead])
        for first in range(0, len(columns), step):
            few = columns[first : first + step]
            yield number * rows * width, (*lead, slice(None), slice(None)), (rows, len(few)), few


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


def _take(terms: Sequence[Array], index: Index, columns: Array | None = None) -> list[Array]:
    """Return the part of each term in a block; an axis on which a term does not vary has one place for all."""
    one = (0, slice(None))
    taken = [
        t[tuple(i if size > 1 else one[isinstance(i, slice)] for i, size in zip(index, t.shape, strict=False))]
        for t in terms
    ]
    if columns is None:
        return taken
    return [t.take(columns, axis=-1) if t.ndim and t.shape[-1] > 1 else t for t in taken]
