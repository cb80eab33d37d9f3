"""Useful throughput against the number of chips: evaluated lazily, each size once, each with its own best strategy.

A size may leave chips idle, so that no step takes longer than on a smaller size that was tried.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from tianji.catalog.architectures import find_mixture
from tianji.comparison.assessment import Assessment, Assumptions, assess_predicted
from tianji.comparison.measures import Assessed
from tianji.comparison.mixed_assessment import MixedAssessment, assess_mixture
from tianji.errors import InfeasibleError
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.hardware.mixture import Mixture
from tianji.parallel.plan import Plan
from tianji.parallel.software_fields import hold_fields
from tianji.prediction import predict
from tianji.prediction.mapper import Mapper
from tianji.search.coarse import find_roomy
from tianji.search.mixed_planner import plan_mixture
from tianji.workload import Job

MOST_CHIPS = 262_144
"""Where a pool's architecture has no limit of its own."""
SLACK = 1.1
"""By which a chip of a smaller pool may be faster than the fastest seen."""
KNEE = 0.5
"""Past the knee another chip gives less than this share of what a chip gives at its best."""


@dataclass(slots=True)
class Curve:
    """One job on one kind of pool, over the number of chips."""

    job: Job
    pool: Pool
    calibration: Calibration
    assumptions: Assumptions
    points: dict[int, Assessment | None] = field(default_factory=dict)
    """Sizes that were tried; None where no strategy is legal and fits."""
    mapper: Mapper | None = None
    """Searches many sizes at once, elsewhere; None: one after the other, here."""

    def __post_init__(self) -> None:
        self.calibration = self.calibration.training(find_mixture(self.job.model))

    @property
    def most(self) -> int:
        """The largest number of chips that the architecture joins."""
        return self.pool.max_chips or MOST_CHIPS

    def at_batch(self, batch: int) -> Curve:
        """Return the curve of the same job at another batch, with no size tried."""
        return replace(self, job=replace(self.job, global_batch_size=batch), points={})

    def at(self, chips: int) -> Assessment | None:
        """Return what so many chips give, or None where no strategy is legal and fits."""
        if chips not in self.points:
            self.points[chips] = assess_size(self.job, self.pool, self.calibration, self.assumptions, chips)
            self._keep_rising()
        return self.points[chips]

    def fill(self, sizes: Iterable[int]) -> None:
        """Try all of some numbers of chips."""
        fresh = [n for n in sizes if n not in self.points]
        find = partial(assess_size, self.job, self.pool, self.calibration, self.assumptions)
        answers = map(find, fresh) if self.mapper is None else self.mapper(find, fresh)
        self.points.update(zip(fresh, answers, strict=True))
        self._keep_rising()

    def _keep_rising(self) -> None:
        """Give each size the plan of a smaller one where that is faster."""
        fastest: Assessment | None = None
        for chips in sorted(self.points):
            here = self.points[chips]
            if fastest is not None and (here is None or _step(here) > _step(fastest)):
                plan = Plan(self.job, replace(self.pool, chips=chips), fastest.result.plan.strategy)
                here = self.points[chips] = assess_predicted(predict(plan, self.calibration), self.assumptions)
            fastest = here

    def counts(self, least: int, most: int) -> list[int]:
        """Return numbers of chips worth trying: whole nodes, with small factors so that degrees and batch divide them."""
        primes = {p for p in (3, 5, 7) if self.job.global_batch_size % p == 0 or self.job.model.num_layers % p == 0}
        step, most = self.pool.node, min(most, self.most)
        return [n for n in _smooth(max(most // step, 1), {2, 3, *primes}, step) if least <= n <= most]

    def sample(self, least: int, most: int, points: int) -> list[int]:
        """Return about so many numbers of chips, evenly spread by their logarithm, both ends among them."""
        counts = self.counts(least, most)
        if len(counts) <= points:
            return counts
        low, high = math.log(counts[0]), math.log(counts[-1])
        wanted = [math.exp(low + (high - low) * i / (points - 1)) for i in range(points)]
        return sorted({_nearest(counts, w) for w in wanted})

    def find_smallest(self, target: float, least: int, most: int, case: str = "nominal") -> Assessment | None:
        """Return the smallest size that reaches a useful throughput in one case; None where none was found.

        By halving, where sizes that nothing fits count as too small. Some sizes divide badly and give less than smaller ones,
        so halving may jump over the answer: every size that could reach the target at the best rate of a chip seen, and a tenth
        more, is looked at afterwards. The largest may give less than one in the middle, as failures take more and more: where it
        is too small, the sizes that divide best are tried, powers of two.
        """

        def reaches(a: Assessment | None) -> bool:
            return a is not None and getattr(a.useful, case) >= target

        counts = self.counts(least, most)
        low, high = 0, len(counts)
        while low < high:
            middle = (low + high) // 2
            if reaches(self.at(counts[middle])):
                high = middle
            else:
                low = middle + 1
        best = max((getattr(a.useful, case) / n for n, a in self.points.items() if a is not None), default=0.0)
        if not best:
            return None
        near = [n for n in counts if n * best * SLACK >= target]
        if low == len(counts) and near:
            self.fill(n for n in near if _twos(n // self.pool.node) == n // self.pool.node)
        enough = next((n for n in counts if n in self.points and reaches(self.points[n])), None)
        if enough is None:
            return None
        smallest = next(n for n in near if n == enough or reaches(self.at(n)))
        # A plan that leaves chips idle is the plan of a smaller size, one that divides otherwise.
        while (used := self._used(smallest)) < smallest and reaches(self.at(used)):
            smallest = used
        return self.at(smallest)

    def _used(self, chips: int) -> int:
        """Return the chips of the nodes that the plan of a size uses."""
        point, node = self.points[chips], self.pool.node
        return chips if point is None else -(-point.result.plan.strategy.chips // node) * node

    def solve(self, target: float, case: str) -> float | None:
        """Return the chips that reach a useful throughput in one case, read off the tried sizes; None beyond them."""
        return solve_points(self.points, target, case)

    def knee(self) -> int | None:
        """Return the size past which another chip gives less than half of a chip's best; None where none was tried."""
        return find_knee(self.points)


@dataclass(slots=True)
class FixedCurve:
    """One job on a mixture, whose numbers of chips are fixed: a curve of one point."""

    job: Job
    pool: Mixture
    calibration: Calibration
    assumptions: Assumptions
    points: dict[int, MixedAssessment | None] = field(default_factory=dict)

    def at_batch(self, batch: int) -> FixedCurve:
        """Return the same job at another batch."""
        return replace(self, job=replace(self.job, global_batch_size=batch), points={})

    def at(self, chips: int) -> MixedAssessment | None:
        """Return what the mixture gives, or None where nothing fits it."""
        if chips not in self.points:
            try:
                outcome = plan_mixture(self.job, self.pool, self.calibration)
                self.points[chips] = assess_mixture(outcome, self.assumptions)
            except InfeasibleError:
                self.points[chips] = None
        return self.points[chips]

    def knee(self) -> None:
        """Return None: one point has no knee."""
        return None


def assess_size(
    job: Job, pool: Pool, calibration: Calibration, assumptions: Assumptions, chips: int
) -> Assessment | None:
    """Return the best plan on at most so many chips, narrowly searched; None where no strategy is legal and fits."""
    pool = replace(pool, chips=chips)
    decided = hold_fields(calibration, pool.chip, {})
    best = find_roomy(job, pool, calibration.constants(pool.chip), at_most=True, fixed=decided)
    return assess_predicted(predict(Plan(job, pool, best.strategy), calibration), assumptions) if best else None


def _step(a: Assessment) -> float:
    return a.result.step_time.nominal


def _nearest(counts: list[int], wanted: float) -> int:
    """Return the number nearest to a wanted one by their logarithms; of equally near ones that which divides best by two."""
    return min(counts, key=lambda n: (abs(math.log(n / wanted)), -_twos(n)))


def _smooth(most: int, primes: set[int], step: int) -> list[int]:
    numbers = {1}
    for prime in sorted(primes):
        for n in sorted(numbers):
            while (n := n * prime) <= most:
                numbers.add(n)
    # Large odd factors leave no divisors for the degrees: at most one octave of them.
    return sorted(step * n for n in numbers if n // _twos(n) <= 45)


def _twos(n: int) -> int:
    return n & -n


def solve_points(points: Mapping[int, Assessed | None], target: float, case: str) -> float | None:
    """Return the chips that reach a useful throughput in one case, read off the tried sizes; None beyond them."""
    known = [(n, getattr(a.useful, case)) for n, a in sorted(points.items()) if a is not None]
    best: list[tuple[int, float]] = []
    for n, value in known:
        if not best or value > best[-1][1]:
            best.append((n, value))
    place = bisect.bisect_left([value for _, value in best], target)
    if not best or place == len(best):
        return None
    if place == 0:
        return float(best[0][0])
    (n0, v0), (n1, v1) = best[place - 1], best[place]
    share = math.log(target / v0) / math.log(v1 / v0)
    return math.exp(math.log(n0) + share * math.log(n1 / n0))


def find_knee(points: Mapping[int, Assessed | None]) -> int | None:
    """Return the size past which another chip gives less than half of a chip's best; None where none was tried."""
    known = [(n, a.useful.nominal) for n, a in sorted(points.items()) if a is not None]
    if len(known) < 2:
        return None
    best = max(value / n for n, value in known)
    reached = known[0]
    for n, value in known[1:]:
        if (value - reached[1]) / (n - reached[0]) < KNEE * best:
            continue
        reached = (n, value)
    return None if reached[0] == known[-1][0] else reached[0]
