"""How many times a mixture of unlike chips replaces another pool, its parts growing alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tianji.comparison.assessment import Assumptions
from tianji.comparison.batches import AtBatch, weigh_round_batches
from tianji.comparison.curve import Curve, FixedCurve
from tianji.comparison.flip_price import FlipPrice
from tianji.comparison.measures import Assessed
from tianji.comparison.mixed_assessment import MixedAssessment
from tianji.comparison.mixed_curve import MixedCurve
from tianji.comparison.replacement import (
    MATCHES,
    SPENT,
    Replacement,
    draw_curve,
    find_deadline,
    find_first,
    say_answer,
)
from tianji.comparison.side_by_side import set_side_by_side
from tianji.errors import IllegalStrategyError, InfeasibleError, UnknownNameError
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.hardware.mixture import Mixture
from tianji.prediction.mapper import Mapper
from tianji.ranges import Range
from tianji.units import DAY
from tianji.workload import Job


def replace_by_mixture(
    first: tuple[Job, Pool | Mixture], other: tuple[Job, Mixture], calibration: Calibration,
    assumptions: Assumptions | None = None, *, match: str = "throughput", days: float | None = None, points: int = 12,
    batches: Sequence[int] = (), mapper: Mapper | None = None,
) -> Replacement:  # fmt: skip
    """Return the smallest multiple of a mixture that replaces the first pool: its parts grow alike.

    Arguments and errors are those of :func:`replace_pool`; ``match`` is throughput or deadline.
    Prices and assumptions of each part are its own, so that none is moved to both its ends.
    """
    if match not in MATCHES:
        raise UnknownNameError("match", match, MATCHES)
    if match in SPENT:
        raise IllegalStrategyError(
            f"--match {match} goes with a pool of one chip; a mixture replaces by throughput or deadline"
        )
    given, (job, place) = assumptions or Assumptions(), first
    base_curve: Curve | FixedCurve = (
        FixedCurve(job, place, calibration, given)
        if isinstance(place, Mixture)
        else Curve(job, place, calibration, given, mapper=mapper)
    )
    grown = MixedCurve(*other, calibration, given)
    base, best, target = _find_mixed(base_curve, grown, match, days)
    grown.fill(best.offered)
    if isinstance(base_curve, Curve):
        draw_curve(base_curve, base.offered, points)
    bracket = (
        grown.solve(target.low, "high"),
        float(best.offered),
        grown.solve(target.high, "low"),
    )
    both = set_side_by_side((base, best), given)
    both = replace(both, batches=weigh_round_batches(both.assessments, calibration, given))
    own = job.global_batch_size
    at_batches = {own: AtBatch(own, (base, best))}
    for batch in batches:
        if batch not in at_batches:
            at_batches[batch] = _mixed_at_batch(batch, (base_curve, grown), match, days)
    answer, ratio = say_answer(match, base, best)
    return Replacement(
        match, base, best, bracket, base_curve, grown, answer, (), both, None if days is None else target.nominal,
        ratio(base, best), FlipPrice(says="Each part of a mixture has its own price: give --rent to move one."),
        tuple(at_batches[batch] for batch in sorted(at_batches)) if batches else (),
    )  # fmt: skip


def _find_mixed(
    first: Curve | FixedCurve, grown: MixedCurve, match: str, days: float | None
) -> tuple[Assessed, MixedAssessment, Range]:
    """Return the first pool, the smallest mixture that replaces it, and the useful tokens a second that are asked for."""
    base = find_first(first)
    target = base.useful
    if match == "deadline":
        limit = find_deadline(base, days)
        target = Range.exactly(base.job.tokens / (limit * DAY)) if days is not None else base.useful
    best = grown.find_smallest(target.nominal)
    if best is None:
        raise InfeasibleError(
            f"no number of chips of {grown.pool.name} (at most {grown.most:,}) gives as many useful tokens"
        )
    return base, best, target


def _mixed_at_batch(
    batch: int, curves: tuple[Curve | FixedCurve, MixedCurve], match: str, days: float | None
) -> AtBatch:
    first, grown = curves[0].at_batch(batch), curves[1].at_batch(batch)
    try:
        base, best, _ = _find_mixed(first, grown, match, days)
    except InfeasibleError:
        return AtBatch(batch, (first.points.get(first.pool.chips), None))
    return AtBatch(batch, (base, best))
