"""The shortlist of a search: the leading layouts, each in its fastest variant.

Layouts are unlike where they differ in a degree, the micro-batch, recomputation or the schedule. What differs in the rest
(chunks, ZeRO's level, placement, the kind of context parallelism) is a variant. A list of the fastest strategies alone would hold
hundreds of variants of a few layouts, and errors of the model that set layouts apart could not be seen in it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np

from tianji.parallel.grid import Grid, number_alike
from tianji.parallel.strategy import Strategy
from tianji.search.candidate import Candidate, Some
from tianji.units import Array

UNLIKE = ("tp", "pp", "cp", "dp", "ep", "etp", "micro_batch_size", "recompute", "schedule")
"""Fields that set layouts apart."""
WINDOW = 1.3
"""A layout that is slower than the fastest by more is not listed: hardly a doubt that is drawn makes it the best."""
MIX = np.uint64(0x9E3779B97F4A7C15)
"""A large odd number, which spreads the numbers of layouts over all of 64 bits."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Some strategies of a grid, each with the number of its layout."""

    members: Some
    layouts: Array

    def take(self, chosen: Array) -> _Part:
        return _Part(self.members.take(chosen), self.layouts[chosen])


@dataclass(slots=True)
class Shortlist:
    """The ``most`` fastest unlike layouts that were seen, none slower than WINDOW times the fastest."""

    most: int
    parts: list[_Part] = field(default_factory=list)
    fastest: float = np.inf
    bar: float = np.inf
    """Step time of the last layout, where the list is full."""
    waiting: int = 0
    """Strategies that came since the list was pruned."""

    @property
    def slowest(self) -> float:
        """Step time up to which layouts are listed."""
        return min(WINDOW * self.fastest, self.bar)

    def add(self, members: Some) -> None:
        """Take in strategies that are legal and fit the memory."""
        if not self.most or not len(members.places):
            return
        self.fastest = min(self.fastest, float(members.step_time.min()))
        members = members.take(np.flatnonzero(members.step_time <= self.slowest))
        if len(members.places):
            self.parts.append(_Part(members, _number_layouts(members.grid, members.places)))
            self.waiting += len(members.places)
            if self.waiting > self.most:
                self._prune()

    def join(self, later: Shortlist) -> None:
        """Take in the list of a later part of the space."""
        self.fastest = min(self.fastest, later.fastest)
        self.parts += later.parts
        self._prune()

    def candidates(self) -> tuple[Candidate, ...]:
        """Return the layouts, the fastest first."""
        self._prune()
        listed = [candidate for part in self.parts for candidate in part.members.candidates()]
        return tuple(sorted(listed, key=lambda c: (c.step_time, c.memory)))

    def _prune(self) -> None:
        """Keep each layout in its fastest variant (of equal ones the smaller, then the earlier), and the fastest layouts."""
        self.waiting = 0
        if not self.parts:
            return
        times, memory = (
            np.concatenate([getattr(part.members, name) for part in self.parts]) for name in ("step_time", "memory")
        )
        order = np.lexsort((memory, times))
        first, _ = number_alike(np.concatenate([part.layouts for part in self.parts])[order])
        unlike = np.zeros(len(times), dtype=bool)
        unlike[order[first]] = True
        if np.count_nonzero(unlike) > self.most:
            self.bar = float(np.partition(times[unlike], self.most - 1)[self.most - 1])
        kept = np.split(unlike & (times <= self.slowest), np.cumsum([len(part.layouts) for part in self.parts])[:-1])
        self.parts = [
            part.take(np.flatnonzero(mask)) for part, mask in zip(self.parts, kept, strict=True) if mask.any()
        ]


def layout_key(strategy: Strategy) -> Hashable:
    """Return what sets a strategy's layout apart."""
    return tuple(getattr(strategy, name) for name in UNLIKE)


def _number_layouts(grid: Grid, places: Array) -> Array:
    """Return for each place of a grid a number that variants of its layout share, in whatever grid they stand."""
    index = np.unravel_index(places, grid.shape)
    numbers = np.zeros(len(places), dtype=np.uint64)
    for name in UNLIKE:
        values = getattr(grid, name)
        at = tuple(i if size > 1 else 0 for i, size in zip(index, values.shape, strict=True))
        numbers = (numbers + values[at].astype(np.uint64) + np.uint64(1)) * MIX
        numbers ^= numbers >> np.uint64(29)
    return numbers
