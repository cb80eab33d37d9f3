"""How large a pool must be for so many tokens in so many days, within a budget; and what binds when it cannot be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tianji.comparison.assessment import Assessment, Assumptions, ask_cost
from tianji.comparison.batches import AtBatch
from tianji.comparison.curve import Curve
from tianji.errors import FormatError, InfeasibleError
from tianji.formatting import format_days, format_percent
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.units import DAY, TERA, Dollars
from tianji.workload import Job

BRACKET_POINTS = 12
"""Sizes of the curve that the answer is read off, however many are drawn."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """The smallest pool that meets the deadline, or the fastest there is with what binds.

    ``best`` is that pool; ``binding`` says what cannot be met and is empty where deadline and budget are. ``cost`` is that of
    the whole run, None without a price.
    """

    days: float
    budget: Dollars | None
    best: Assessment
    curve: Curve
    cost: Dollars | None
    cautious: int | None
    """Chips that meet the deadline in the low case too; None where none do."""
    binding: tuple[str, ...]
    batches: tuple[AtBatch, ...] = ()
    """The smallest pool in time at every batch of a list; empty without a list."""

    def __repr__(self) -> str:
        pool = self.best.pool
        return (
            f"Sizing({pool.chips:,} chips of {pool.name} for {self.days:g} days: {'met' if self.is_met else 'not met'})"
        )

    @property
    def is_met(self) -> bool:
        """Deadline and budget are met."""
        return not self.binding


def size_pool(
    job: Job, pool: Pool, calibration: Calibration, days: float, assumptions: Assumptions | None = None, *,
    budget: Dollars | None = None, points: int = 12, batches: Sequence[int] = (),
) -> Sizing:  # fmt: skip
    """Return the smallest pool that trains the job's tokens in so many days, failures included.

    Args:
        job: The work; it must state its tokens.
        pool: The kind of pool; its number of chips is not looked at.
        calibration: Corrections to the datasheet figures of its chip.
        days: The deadline, above 0 and below 100,000.
        assumptions: Prices, powers and failures in place of the catalog's.
        budget: Dollars of the whole run; None: whatever it costs.
        points: Sizes that draw the curve around the answer.
        batches: Other batches, at each of which the smallest pool is found, too.

    Raises:
        FormatError: The job states no tokens, or the deadline is out of its bounds.
        InfeasibleError: The model fits no number of chips.
        UnknownFigureError: The budget needs a price that nobody published.
    """
    if not job.tokens:
        raise FormatError("the work is missing: give --tokens, like --tokens 15T")
    if not 0 < days < 10**5:
        raise FormatError(f"--days: expected a number of days above 0 and below 100,000, got {days:g}")
    curve = Curve(job, pool, calibration, assumptions or Assumptions())
    target = job.tokens / (days * DAY)
    smallest = curve.find_smallest(target, pool.node, curve.most)
    best = smallest or _fastest(curve)
    # The answer and its bracket are read off the same sizes however many are drawn.
    _draw(curve, best, BRACKET_POINTS)
    smallest = smallest or curve.find_smallest(target, pool.node, curve.most)
    cautious = None if smallest is None else curve.find_smallest(target, pool.node, curve.most, "low")
    best = smallest or _fastest(curve)
    binding = [] if smallest else [_why_late(curve, days)]
    cost = _cost(best)
    if budget is not None:
        if cost is None:
            raise ask_cost(best)
        if cost > budget:
            binding.append(_why_dear(curve, best, cost, budget))
    _draw(curve, best, points)
    own, at_batches = job.global_batch_size, {}
    for batch in (own, *batches) if batches else ():
        other = curve if batch == own else replace(curve, job=replace(job, global_batch_size=batch), points={})
        enough = smallest if batch == own else other.find_smallest(target, pool.node, curve.most)
        at_batches[batch] = AtBatch(batch, (enough,))
    return Sizing(
        days, budget, best, curve, cost, cautious.pool.chips if cautious else None, tuple(binding),
        tuple(at_batches[batch] for batch in sorted(at_batches)),
    )  # fmt: skip


def _draw(curve: Curve, best: Assessment, points: int) -> None:
    least, most = max(best.pool.chips // 4, curve.pool.node), min(best.pool.chips * 4, curve.most)
    curve.fill(curve.sample(least, most, points))


def _days(a: Assessment) -> float:
    return float("inf") if a.days is None else a.days.nominal


def _cost(a: Assessment) -> float | None:
    return None if a.cost is None else a.cost.nominal * a.result.plan.job.tokens / TERA


def _fastest(curve: Curve) -> Assessment:
    fastest = max((a for a in curve.points.values() if a), key=lambda a: a.useful.nominal, default=None)
    if fastest is None:
        raise InfeasibleError(
            f"{curve.job.model.name} fits no number of chips of {curve.pool.name} up to {curve.most:,}; "
            f"`tianji plan {curve.job.model.name} {curve.pool.name}` names the closest strategy"
        )
    return fastest


def _why_late(curve: Curve, days: float) -> str:
    best = _fastest(curve)
    at_most = f"the fastest tried, {best.pool.chips:,} chips, take {format_days(_days(best))} days, not {days:g}"
    rows = {kind: value / best.result.step_time.nominal for kind, value in best.result.breakdown.items()}
    worst = max(rows, key=lambda kind: rows[kind])
    if curve.pool.max_chips and best.pool.chips > 0.8 * curve.pool.max_chips:
        larger = f"; {curve.pool.larger} joins more of them" if curve.pool.larger else ""
        return (
            f"the architecture: {curve.pool.name} joins at most {curve.pool.max_chips:,} chips, and {at_most}{larger}"
        )
    return (
        f"the batch: {curve.job.global_batch_size:,} sequences a step do not feed more chips, and {at_most}; the largest part of"
        f" its step is {worst} ({format_percent(rows[worst], 0)}); a larger --batch would help"
    )


def _why_dear(curve: Curve, best: Assessment, cost: float, budget: float) -> str:
    cheaper = [(a, c) for a in curve.points.values() if a is not None and (c := _cost(a)) is not None and c <= budget]
    text = f"the budget: the run costs {cost:,.0f} USD, not {budget:,.0f}"
    if not cheaper:
        low = min((c for a in curve.points.values() if a is not None and (c := _cost(a)) is not None), default=cost)
        return f"{text}; no tried number of chips is cheaper than {low:,.0f} USD, however long it takes"
    fastest, money = min(cheaper, key=lambda pair: _days(pair[0]))
    return f"{text}; within it {fastest.pool.chips:,} chips finish in {format_days(_days(fastest))} days for {money:,.0f} USD"
