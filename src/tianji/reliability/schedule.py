"""The undisturbed schedule of training and saves: what a run would do if nothing failed.

Source of levels inside one another: Moody et al. 2010.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tianji.reliability.multilevel_checkpoints import Cycle
from tianji.units import Array


class Schedule:
    """Training and saves in time, level in level: a save to an outer store follows a whole number of inner ones.

    A place is a time in this schedule. A save counts from its end on.
    """

    def __init__(self, cycles: Sequence[Cycle]) -> None:
        self.cycles = cycles
        self.saved = [i for i, cycle in enumerate(cycles) if cycle.level.name != "step"]
        self.works, self.ratios = self._fit_works()
        self.periods: list[float] = []
        for j, i in enumerate(self.saved):
            inside = self.ratios[j] * self.periods[-1] if self.periods else self.works[0]
            self.periods.append(inside + cycles[i].save.stop)

    def _fit_works(self) -> tuple[list[float], list[int]]:
        """Return the work between two saves of each store, and how many inner intervals each has: the outermost decides."""
        works: list[float] = []
        ratios: list[int] = []
        for i in reversed(self.saved):
            ratio = max(round(works[0] / self.cycles[i].work), 1) if works else 1
            works.insert(0, works[0] / ratio if works else self.cycles[i].work)
            ratios.insert(0, ratio)
        # A ratio belongs to the outer of the two stores.
        return works, [1, *ratios[:-1]]

    def floor(self, place: Array, level: int) -> Array:
        """Return the last place at or before each one where a state of that level was saved."""
        if level not in self.saved:
            step = self.cycles[level].work
            started: Array = np.floor(place / step) * step
            return started
        base, rest = np.zeros_like(place), place
        outermost = len(self.saved) - 1
        for j in range(outermost, self.saved.index(level) - 1, -1):
            count = np.floor(rest / self.periods[j])
            if j < outermost:
                count = np.minimum(count, self.ratios[j + 1])
            base = base + count * self.periods[j]
            rest = place - base
        return base

    def work(self, place: Array) -> Array:
        """Return the seconds of training before each place."""
        if not self.saved:
            return place
        done, rest = np.zeros_like(place), place
        outermost = len(self.saved) - 1
        for j in range(outermost, -1, -1):
            count = np.floor(rest / self.periods[j])
            if j < outermost:
                count = np.minimum(count, self.ratios[j + 1])
            done = done + count * self.works[j]
            rest = rest - count * self.periods[j]
            if j < outermost:
                # After the last inner save comes the outer one, in which nothing is trained.
                rest = np.where(count == self.ratios[j + 1], 0.0, rest)
        return done + np.minimum(rest, self.works[0])
