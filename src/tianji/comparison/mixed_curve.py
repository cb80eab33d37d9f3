"""Useful throughput of a mixture against its chips: its parts grow alike, so that their shares stay what was asked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tianji.comparison.assessment import Assumptions
from tianji.comparison.curve import MOST_CHIPS, find_knee, solve_points
from tianji.comparison.mixed_assessment import MixedAssessment, assess_mixture
from tianji.errors import IllegalStrategyError, InfeasibleError
from tianji.hardware.calibration import Calibration
from tianji.hardware.mixture import Mixture
from tianji.search.mixed_planner import plan_mixture
from tianji.workload import Job

WIDE = 4
"""The curve reaches this many times to both sides of the answer, at doubled sizes."""
FINE = 16
"""The smallest number is found to a part of so many of itself: a search of a mixture takes a second."""


@dataclass(slots=True)
class MixedCurve:
    """One job on a mixture, over how many times its smallest parts it has: whole nodes, in the shares that were asked."""

    job: Job
    pool: Mixture
    calibration: Calibration
    assumptions: Assumptions
    points: dict[int, MixedAssessment | None] = field(default_factory=dict)
    """By chips of all parts; None where nothing fits."""

    @property
    def unit(self) -> Mixture:
        """The smallest mixture with these shares."""
        times = math.gcd(*(part.chips // part.node for part in self.pool.parts)) or 1
        if any(part.chips % part.node for part in self.pool.parts):
            return self.pool
        return replace(self.pool, parts=tuple(part.with_chips(part.chips // times) for part in self.pool.parts))

    @property
    def most(self) -> int:
        """The largest number of chips that every part's architecture joins."""
        limits = [(part.max_chips or MOST_CHIPS) // part.chips for part in self.unit.parts]
        return min(limits) * self.unit.chips

    def at_batch(self, batch: int) -> MixedCurve:
        """Return the curve of the same job at another batch, with no size tried."""
        return replace(self, job=replace(self.job, global_batch_size=batch), points={})

    def at(self, chips: int) -> MixedAssessment | None:
        """Return what the mixture gives with so many chips in all, narrowly searched; None where nothing fits."""
        if chips not in self.points:
            unit = self.unit
            times = chips // unit.chips
            parts = tuple(part.with_chips(part.chips * times) for part in unit.parts)
            name = " + ".join(f"{part.chips:,}x{part.name}" for part in parts)
            grown = replace(self.pool, name=name.replace(" ", ""), parts=parts)
            try:
                outcome = plan_mixture(self.job, grown, self.calibration, is_narrow=True)
                self.points[chips] = assess_mixture(outcome, self.assumptions)
            except (InfeasibleError, IllegalStrategyError):
                self.points[chips] = None
        return self.points[chips]

    def find_smallest(self, target: float) -> MixedAssessment | None:
        """Return the smallest size that gives so many useful tokens a second: doubled until it does, then halved between.

        Sizes are whole multiples of :attr:`unit`, and a sixteenth of the answer apart at most.
        """
        unit, most = self.unit.chips, self.most // self.unit.chips
        high = 1
        while not self._reaches(high * unit, target):
            if high == most:
                return None
            high = min(high * 2, most)
        low = high // 2
        while high - low > max(high // FINE, 1):
            middle = (low + high) // 2
            low, high = (low, middle) if self._reaches(middle * unit, target) else (middle, high)
        return self.at(high * unit)

    def fill(self, chips: int) -> None:
        """Try the doubles and the halves of a size, as far as the curve is drawn."""
        for size in self._round(chips):
            self.at(size)

    def solve(self, target: float, case: str) -> float | None:
        """Return the chips that reach a useful throughput in one case, read off the tried sizes; None beyond them."""
        return solve_points(self.points, target, case)

    def knee(self) -> int | None:
        """Return the size past which another chip gives less than half of a chip's best; None where none was tried."""
        return find_knee(self.points)

    def _reaches(self, chips: int, target: float) -> bool:
        point = self.at(chips)
        return point is not None and point.useful.nominal >= target

    def _round(self, chips: int) -> Iterator[int]:
        unit, times = self.unit.chips, chips // self.unit.chips
        factor = 2
        while factor <= WIDE:
            for wanted in (times // factor, times * factor):
                if 1 <= wanted <= self.most // unit:
                    yield wanted * unit
            factor *= 2
