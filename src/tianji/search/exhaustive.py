"""Exhaustive search: price every legal strategy, keep the best and the Pareto front of time against memory."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import numpy as np

from tianji.hardware import Pool
from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid, keep_places
from tianji.parallel.legality import is_legal
from tianji.perf.memory import usable_memory
from tianji.perf.passes import keep_layers
from tianji.perf.step import estimate, estimate_job_layers, least_time
from tianji.search.blocks import Block, Weighed, estimated_blocks
from tianji.search.candidate import Candidate, Some, Spot, name_all
from tianji.search.improvable import Improvable
from tianji.search.options import SearchOptions
from tianji.search.shortlist import WINDOW, Shortlist
from tianji.search.space import COLUMNS, Space
from tianji.units import Array, Bytes, Seconds
from tianji.workload import Job

C = TypeVar("C", Candidate, Spot)
_DEFAULT = SearchOptions()
ROUNDING = 1e-9
"""By which a bound may come out above what it bounds."""
FRONT_WINDOW = 2.0
"""The Pareto front goes up to this many times the best step time."""


@dataclass(frozen=True, slots=True)
class SearchResult:
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
    """Where nothing fits, the legal strategy that needs least memory."""
    shortlist: tuple[Candidate, ...] = ()
    """The leading unlike layouts (see :mod:`tianji.search.shortlist`), where the options ask for them, fastest first."""
    improvable: tuple[Candidate, ...] = ()
    """Where the options note uneven stages: pipelines that equal stages would make faster than the fastest, with the time that
    these would take at least, the least first (see :mod:`tianji.search.improvable`)."""


@dataclass(slots=True)
class _Ledger:
    top: int
    shortlist: Shortlist
    improvable: Improvable | None = None
    reached: float = np.inf
    """A step time that some strategy is known to reach."""
    candidates: int = 0
    feasible: int = 0
    best: list[Spot] = field(default_factory=list)
    front: list[Spot] = field(default_factory=list)
    closest: Spot | None = None

    @property
    def bar(self) -> float:
        """Step time that a newcomer must beat to be among the best; with the slowest of them it may still tie and be smaller."""
        return float(np.nextafter(self.best[-1].step_time, np.inf)) if len(self.best) >= self.top else np.inf

    @property
    def slowest(self) -> float:
        """Step time up to which the front goes."""
        return FRONT_WINDOW * self.best[0].step_time if self.best else np.inf

    @property
    def reach(self) -> float:
        """Step time up to which a newcomer may be told of."""
        return min(max(self.bar, self.slowest), FRONT_WINDOW * self.reached)

    @property
    def listed(self) -> float:
        """Step time up to which a newcomer may be among the best or on the shortlist; beyond it only the front may have it."""
        window = min(self.shortlist.slowest, WINDOW * self.reached) if self.shortlist.most else 0.0
        return max(self.bar, window)

    @property
    def is_complete(self) -> bool:
        """Return whether nothing was left out for ``reached`` that should be told of."""
        return self.reached == np.inf or (self.bar <= self.slowest <= FRONT_WINDOW * self.reached * (1.0 + ROUNDING))

    def may_tell(self, step_time: Array, memory: Array) -> Array:
        """Return where something may be told of that takes so much time and memory at least.

        What some member of the front is as fast as, and as small, is never on the front.
        """
        slack = 1.0 - ROUNDING
        beside: Array = ~self._is_beaten(step_time * slack, memory * slack) & (step_time * slack <= self.reach)
        return beside | (step_time * slack <= self.listed)

    def count(self, weighed: Weighed, fits: Array) -> None:
        """Count a grid that holds something legal; as long as nothing fits, note what needs least memory."""
        self.candidates += int(np.count_nonzero(np.broadcast_to(weighed.legal, fits.shape)))
        self.feasible += int(np.count_nonzero(fits))
        if not self.feasible:
            place, memory = weighed.smallest()
            if self.closest is None or memory < self.closest.memory:
                self.closest = Spot(weighed.grid, place, np.inf, memory)

    def add(self, block: Block, limit: Bytes) -> None:
        """Take in the strategies of a block that fit."""
        fits = block.legal & (block.memory <= limit)
        places = np.flatnonzero(fits & (block.step_time <= self.reach))
        if len(places):
            chosen = Some(block.grid, block.places(places), block.step_time[places], block.memory[places])
            self.shortlist.add(chosen)
            self._keep_best(chosen)
            self._keep_front(chosen)
        if self.improvable is not None and self.best and block.uneven is not None:
            self.improvable.add(block, fits, self.best[0].step_time)

    def join(self, later: _Ledger) -> None:
        """Take in the ledger of a later slice, as if that slice had been added here."""
        self.candidates += later.candidates
        self.feasible += later.feasible
        closest = later.closest
        if not self.feasible and closest and (self.closest is None or closest.memory < self.closest.memory):
            self.closest = closest
        self.shortlist.join(later.shortlist)
        if self.improvable is not None and later.improvable is not None:
            self.improvable.join(later.improvable)
        self.best = sorted([*self.best, *later.best], key=_order)[: self.top]
        if self.best:
            self.front = _front([*self.front, *later.front], self.slowest)

    def _keep_best(self, chosen: Some) -> None:
        order = np.flatnonzero(chosen.step_time < self.bar)
        if len(order) > self.top:
            # Ties go to the smaller and then to the earlier, so that the answer does not hang on how the space is sliced.
            last = np.partition(chosen.step_time[order], self.top - 1)[self.top - 1]
            order = order[chosen.step_time[order] <= last]
            order = order[np.lexsort((chosen.memory[order], chosen.step_time[order]))[: self.top]]
        self.best = sorted([*self.best, *chosen.take(order).spots()], key=_order)[: self.top]

    def _keep_front(self, chosen: Some) -> None:
        order = np.flatnonzero(chosen.step_time <= self.slowest)
        if self.front and len(order):
            order = order[~self._is_beaten(chosen.step_time[order], chosen.memory[order])]
        order = order[np.lexsort((chosen.memory[order], chosen.step_time[order]))]
        size = chosen.memory[order]
        running = np.minimum.accumulate(size) if len(order) else size
        first = np.ones(len(order), dtype=bool)
        first[1:] = running[1:] < running[:-1]
        self.front = _front([*self.front, *chosen.take(order[first]).spots()], self.slowest)

    def _is_beaten(self, step_time: Array, memory: Array) -> Array:
        """Return what some member of the front is as fast as, and as small."""
        times = np.asarray([c.step_time for c in self.front])
        least = np.asarray([np.inf, *(c.memory for c in self.front)])
        is_beaten: Array = least[np.searchsorted(times, step_time, side="right")] <= memory
        return is_beaten


def explore(
    job: Job,
    pool: Pool,
    constants: Constants,
    options: SearchOptions = _DEFAULT,
) -> SearchResult:
    """Return the fastest strategies of a job on all chips of a pool, with the Pareto front of time against memory."""
    started = time.perf_counter()
    ledger, progress = _ledger(options), options.progress
    slices = Space(job, pool, options.fixed, options.extra, options.most_micro_batch).slices()
    if options.mapper is None:
        for grid in slices:
            _look_through(grid, ledger, job, pool, constants, options)
            if progress:
                progress(ledger.candidates)
    else:
        apart = partial(
            _estimate_apart, replace(options, mapper=None, progress=None, can_name=None), job, pool, constants
        )
        for part in options.mapper(apart, slices):
            ledger.join(part)
            if progress:
                progress(ledger.candidates)
    if not ledger.is_complete:
        return explore(job, pool, constants, replace(options, reached=float("inf")))
    best, front = name_all(ledger.best), name_all(ledger.front)
    closest = _estimate_closest(job, pool, constants, ledger.closest) if ledger.closest and not best else None
    improvable = ledger.improvable.candidates(best[0].step_time) if ledger.improvable and best else ()
    seconds = time.perf_counter() - started
    return SearchResult(
        ledger.candidates, ledger.feasible, seconds, best, front, closest, ledger.shortlist.candidates(), improvable
    )


def _ledger(options: SearchOptions) -> _Ledger:
    improvable = Improvable() if options.uneven != "dealt" else None
    return _Ledger(max(options.top, 1), Shortlist(options.leading), improvable, options.reached)


def _estimate_apart(options: SearchOptions, job: Job, pool: Pool, constants: Constants, grid: Grid) -> _Ledger:
    """Return the ledger of one slice alone."""
    ledger = _ledger(options)
    _look_through(grid, ledger, job, pool, constants, options)
    return ledger


def _look_through(
    grid: Grid, ledger: _Ledger, job: Job, pool: Pool, constants: Constants, options: SearchOptions
) -> None:
    """Take a slice into a ledger.

    Micro-batch, experts and layout are a column of it: the rest varies along the other axes. All is weighed, and what is priced
    are the columns in which something fits, and which with equal stages are not too slow to be told of: for the front alone,
    also not larger than what is as fast.
    """
    legal = is_legal(grid, job, pool)
    if not legal.any():
        return
    weighed = Weighed.of(job, pool, constants, grid, legal)
    fits = weighed.fits(usable_memory(pool))
    ledger.count(weighed, fits)
    schedules = fits.ndim - COLUMNS - 1
    worth: Array = np.any(fits, axis=schedules, keepdims=True)
    if not worth.any():
        return
    layers = estimate_job_layers(job, pool, constants, grid)
    if np.isfinite(ledger.reach):
        least = least_time(job, constants, grid, layers).min(axis=schedules, keepdims=True)
        worth = np.logical_and(worth, ledger.may_tell(least, weighed.least_memory((schedules,))))
    columns: Array = np.any(worth, axis=tuple(range(schedules + 1)))
    if columns.any():
        index = np.nonzero(columns)
        for block in estimated_blocks(
            job, pool, constants, weighed.keep(columns), weighs_stages=options.uneven != "dealt",
            worth=keep_places(worth, index)[..., 0, :], layers=keep_layers(layers, index),
        ):  # fmt: skip
            ledger.add(block, usable_memory(pool))


def _estimate_closest(job: Job, pool: Pool, constants: Constants, closest: Spot) -> Candidate:
    """Return the strategy of the closest miss with its step time."""
    (candidate,) = name_all([closest])
    estimated = estimate(job, pool, constants, Grid.of(candidate.strategy))
    return replace(candidate, step_time=float(estimated.step_time[0]))


def keep_front(candidates: list[Candidate]) -> tuple[Candidate, ...]:
    """Return the Pareto front of candidates that come fastest first."""
    return tuple(_front(candidates, FRONT_WINDOW * candidates[0].step_time)) if candidates else ()


def _order(c: Candidate | Spot) -> tuple[float, float]:
    return c.step_time, c.memory


def _front(candidates: list[C], slowest: Seconds) -> list[C]:
    kept: list[C] = []
    for c in sorted(candidates, key=_order):
        if c.step_time <= slowest and (not kept or c.memory < kept[-1].memory):
            kept.append(c)
    return kept
