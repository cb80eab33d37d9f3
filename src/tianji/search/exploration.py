"""Exhaustive search: price every legal strategy, keep the best and the Pareto front of time against memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from tianji.hardware import Pool
from tianji.hardware.calibration import Constants
from tianji.parallel.grid import Grid
from tianji.parallel.legality import is_legal
from tianji.parallel.strategy import Strategy
from tianji.perf.memory import usable_memory
from tianji.perf.step import Price, price
from tianji.prediction.mapper import Mapper
from tianji.search.space import Space
from tianji.units import Array, Bytes, Seconds
from tianji.workload import Job

FRONT_WINDOW = 2.0
"""The Pareto front goes up to this many times the best step time."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A strategy with what the model says of it."""

    strategy: Strategy
    step_time: Seconds
    memory: Bytes


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome of a search over all strategies on one number of chips."""

    candidates: int
    """Legal strategies of the space (see :mod:`tianji.search.space`), none counted twice, all of them priced."""
    feasible: int
    """Those that fit the memory."""
    seconds: Seconds
    best: tuple[Candidate, ...]
    """Fastest first."""
    front: tuple[Candidate, ...]
    """Pareto front: none is both faster and smaller. Fastest first."""
    closest: Candidate | None
    """The legal strategy that needs least memory."""


@dataclass(slots=True)
class _Ledger:
    top: int
    candidates: int = 0
    feasible: int = 0
    best: list[Candidate] = field(default_factory=list)
    front: list[Candidate] = field(default_factory=list)
    closest: Candidate | None = None

    @property
    def bar(self) -> float:
        """Step time that a newcomer must beat to be among the best; with the slowest of them it may still tie and be smaller."""
        return float(np.nextafter(self.best[-1].step_time, np.inf)) if len(self.best) >= self.top else np.inf

    def add(self, grid: Grid, legal: Array, step_time: Array, memory: Array, limit: Bytes) -> None:
        fits = legal & (memory <= limit)
        self.candidates += int(np.count_nonzero(legal))
        self.feasible += int(np.count_nonzero(fits))
        if not self.feasible and legal.any():
            self._note_closest(grid, np.where(legal, memory, np.inf), step_time)
        seen = np.where(fits, step_time, np.inf)
        self._keep_best(grid, seen, memory)
        self._keep_front(grid, seen, memory)

    def join(self, later: _Ledger) -> None:
        """Take in the ledger of a later slice, as if that slice had been added here."""
        self.candidates += later.candidates
        self.feasible += later.feasible
        closest = later.closest
        if not self.feasible and closest and (self.closest is None or closest.memory < self.closest.memory):
            self.closest = closest
        self.best = sorted([*self.best, *later.best], key=_order)[: self.top]
        if self.best:
            self.front = _front([*self.front, *later.front], FRONT_WINDOW * self.best[0].step_time)

    def _note_closest(self, grid: Grid, memory: Array, step_time: Array) -> None:
        place = int(np.argmin(memory))
        if self.closest is None or memory.flat[place] < self.closest.memory:
            self.closest = _candidate(grid, place, step_time, memory)

    def _keep_best(self, grid: Grid, seen: Array, memory: Array) -> None:
        flat = seen.ravel()
        places = np.flatnonzero(flat < self.bar)
        if len(places) > self.top:
            # Ties go to the smaller and then to the earlier, so that the answer does not hang on how the space is sliced.
            last = np.partition(flat[places], self.top - 1)[self.top - 1]
            places = places[flat[places] <= last]
            sizes = memory[np.unravel_index(places, grid.shape)]
            places = places[np.lexsort((sizes, flat[places]))[: self.top]]
        fresh = [_candidate(grid, int(p), seen, memory) for p in places]
        self.best = sorted([*self.best, *fresh], key=_order)[: self.top]

    def _keep_front(self, grid: Grid, seen: Array, memory: Array) -> None:
        if not self.best:
            return
        flat, size = seen.ravel(), memory.ravel()
        slowest = FRONT_WINDOW * self.best[0].step_time
        places = np.flatnonzero(flat <= slowest)
        if self.front and len(places):
            places = places[~self._is_beaten(flat[places], size[places])]
        order = places[np.lexsort((size[places], flat[places]))]
        running = np.minimum.accumulate(size[order]) if len(order) else size[order]
        first = np.ones(len(order), dtype=bool)
        first[1:] = running[1:] < running[:-1]
        fresh = [_candidate(grid, int(p), seen, memory) for p in order[first]]
        self.front = _front([*self.front, *fresh], slowest)

    def _is_beaten(self, step_time: Array, memory: Array) -> Array:
        """Return what some member of the front is as fast as, and as small."""
        times = np.asarray([c.step_time for c in self.front])
        least = np.asarray([np.inf, *(c.memory for c in self.front)])
        found: Array = least[np.searchsorted(times, step_time, side="right")] <= memory
        return found


def explore(
    job: Job,
    pool: Pool,
    constants: Constants,
    *,
    fixed: Mapping[str, Any] | None = None,
    extra: Mapping[str, tuple[Any, ...]] | None = None,
    top: int = 5,
    progress: Callable[[int], None] | None = None,
    mapper: Mapper | None = None,
) -> Found:
    """Return the fastest strategies of a job on all chips of a pool, with the Pareto front of time against memory.

    ``fixed`` holds fields to values, ``extra`` varies further switches; ``progress`` is told the number of strategies
    after each slice. A ``mapper`` prices the slices elsewhere; the answer is the same.
    """
    started = time.perf_counter()
    ledger, limit = _Ledger(max(top, 1)), usable_memory(pool)
    slices = Space(job, pool, fixed or {}, extra or {}).slices()
    if mapper is None:
        for grid in slices:
            # Held until the next slice is priced: memory given back at once would have to be mapped anew each time.
            priced = _price_slice(job, pool, constants, grid)
            ledger.add(grid, *priced[1:], limit)
            if progress:
                progress(ledger.candidates)
    else:
        for part in mapper(partial(_price_apart, ledger.top, job, pool, constants), slices):
            ledger.join(part)
            if progress:
                progress(ledger.candidates)
    seconds = time.perf_counter() - started
    return Found(ledger.candidates, ledger.feasible, seconds, tuple(ledger.best), tuple(ledger.front), ledger.closest)


def _price_slice(job: Job, pool: Pool, constants: Constants, grid: Grid) -> tuple[Price, Array, Array, Array]:
    """Return the prices of a slice, and over its whole shape what is legal, the step times and the memories."""
    cost, shape = price(job, pool, constants, grid), grid.shape
    legal = np.broadcast_to(is_legal(grid, job, pool), shape)
    return cost, legal, np.broadcast_to(cost.step_time, shape), np.broadcast_to(cost.memory_total, shape)


def _price_apart(top: int, job: Job, pool: Pool, constants: Constants, grid: Grid) -> _Ledger:
    """Return the ledger of one slice alone."""
    ledger = _Ledger(top)
    ledger.add(grid, *_price_slice(job, pool, constants, grid)[1:], usable_memory(pool))
    return ledger


def _order(c: Candidate) -> tuple[float, float]:
    return c.step_time, c.memory


def _candidate(grid: Grid, place: int, step_time: Array, memory: Array) -> Candidate:
    index = tuple(int(i) for i in np.unravel_index(place, grid.shape))
    return Candidate(grid.at(index), float(step_time[index]), float(memory[index]))


def _front(candidates: list[Candidate], slowest: Seconds) -> list[Candidate]:
    kept: list[Candidate] = []
    for c in sorted(candidates, key=_order):
        if c.step_time <= slowest and (not kept or c.memory < kept[-1].memory):
            kept.append(c)
    return kept
