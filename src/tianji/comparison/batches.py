"""The same question at other batches: what each pool gives when a step has more or fewer sequences.

A batch that divides well on one pool and badly on another moves their ratio by half, so a comparison always says what it would be
at the round batches around its own. Those are searched narrowly (:mod:`tianji.search.coarse`); batches that a user lists are
searched as the first one is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from tianji.comparison.assessment import Assumptions
from tianji.comparison.curve import assess_size
from tianji.comparison.measures import Assessed
from tianji.comparison.mixed_assessment import assess_mixture
from tianji.errors import InfeasibleError
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.hardware.mixture import Mixture
from tianji.ranges import Range
from tianji.search.mixed_planner import plan_mixture
from tianji.workload import Job

SAME = 0.02
"""Answers at two batches that differ by less are the same."""
Assess = Callable[[Job, Pool | Mixture], Assessed | None]


@dataclass(frozen=True, slots=True)
class AtBatch:
    """Every pool at one batch; None where no strategy is legal and fits."""

    batch: int
    assessments: tuple[Assessed | None, ...]

    def ratio(self, one: int, base: int) -> Range | None:
        """Return useful tokens of one pool over those of another."""
        above, below = self.assessments[one], self.assessments[base]
        return None if above is None or below is None else above.useful / below.useful


def round_batches(batch: int) -> tuple[int, ...]:
    """Return the powers of two around a batch, itself left out.

    >>> round_batches(768), round_batches(2048), round_batches(1)
    ((512, 1024), (1024, 4096), (2,))
    """
    above = 1 << batch.bit_length()
    below = 1 << max((batch - 1).bit_length() - 1, 0)
    return tuple(n for n in (below, above) if n != batch)


def weigh_batches(
    assessments: Sequence[Assessed | None], batch: int, batches: Iterable[int], assess: Assess
) -> tuple[AtBatch, ...]:
    """Return what the pools of some plans give at other batches, those of the plans' own ``batch`` among them, by rising batch.

    ``assess`` finds the best plan of a job on a pool.
    """
    points = {batch: AtBatch(batch, tuple(assessments))}
    asked = [(a.job, a.place) for a in assessments if a is not None]
    for other in batches:
        if other not in points:
            assessed = (assess(replace(job, global_batch_size=other), place) for job, place in asked)
            points[other] = AtBatch(other, tuple(assessed))
    return tuple(points[n] for n in sorted(points))


def weigh_round_batches(
    assessments: Sequence[Assessed], calibration: Calibration, assumptions: Assumptions | None = None
) -> tuple[AtBatch, ...]:
    """Return what the pools of some plans give at the round batches around their own."""
    given, batch = assumptions or Assumptions(), assessments[0].job.global_batch_size

    def assess(job: Job, pool: Pool | Mixture) -> Assessed | None:
        if isinstance(pool, Mixture):
            try:
                return assess_mixture(plan_mixture(job, pool, calibration, is_narrow=True), given)
            except InfeasibleError:
                return None
        return assess_size(job, pool, calibration, given, pool.chips)

    return weigh_batches(assessments, batch, round_batches(batch), assess)


def describe_batches(points: Sequence[AtBatch], batch: int, one: int, base: int) -> str:
    """Return how the answer, useful tokens of one pool over another, moves with the batch; empty where there is no other."""
    ratios = {point.batch: point.ratio(one, base) for point in points}
    own, others = ratios.pop(batch, None), ratios
    if own is None or not others:
        return ""
    lacking = [f"{n:,}" for n, ratio in others.items() if ratio is None]
    known = {n: ratio.nominal for n, ratio in others.items() if ratio is not None}
    moved = [f"{value:.2f} at {n:,}" for n, value in known.items() if abs(value / own.nominal - 1) >= SAME]
    still = [f"{n:,}" for n, value in known.items() if abs(value / own.nominal - 1) < SAME]
    return _describe(
        f"The batch counts: the answer is {', '.join(moved)} sequences a step instead of {own.nominal:.2f}."
        if moved
        else "",
        (still, "the answer is the same"),
        (lacking, "nothing fits one of them"),
    )


def describe_chips(points: Sequence[AtBatch], batch: int) -> str:
    """Return how many chips of the last pool each batch asks for, in words; empty where there is one batch."""
    needed = {point.batch: point.assessments[-1] for point in points}
    own = needed.pop(batch, None)
    if own is None or not needed:
        return ""
    moved = [f"{a.offered:,} at {n:,}" for n, a in needed.items() if a is not None and a.offered != own.offered]
    same = [f"{n:,}" for n, a in needed.items() if a is not None and a.offered == own.offered]
    none = [f"{n:,}" for n, a in needed.items() if a is None]
    return _describe(
        f"The batch counts: it takes {', '.join(moved)} sequences a step instead of {own.offered:,} chips."
        if moved
        else "",
        (same, "it takes as many chips"),
        (none, "no number of chips is enough"),
    )


def _describe(first: str, *rest: tuple[Sequence[str], str]) -> str:
    """Return a sentence, if there is one, and one for each group of batches, if there are any, with what holds at them."""
    others = (f"At {' and '.join(batches)} sequences a step {what}." for batches, what in rest if batches)
    return " ".join(filter(None, (first, *others)))
