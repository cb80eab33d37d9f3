"""How many chips of one pool replace another pool, for the same model: at equal work, cost, power or deadline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from tianji.comparison.assessment import Assessment, Assumptions, ask_cost
from tianji.comparison.batches import AtBatch, weigh_round_batches
from tianji.comparison.curve import Curve, FixedCurve
from tianji.comparison.flip_price import FlipPrice, find_flip_price
from tianji.comparison.measures import Assessed
from tianji.comparison.mixed_assessment import MixedAssessment
from tianji.comparison.mixed_curve import MixedCurve
from tianji.comparison.sensitivity import (
    Sensitivity,
    choose_best,
    compute_sensitivities,
    find_alternative_plans,
    find_chips,
)
from tianji.comparison.side_by_side import Comparison, format_pool, set_side_by_side
from tianji.economics import ask_power
from tianji.errors import InfeasibleError, UnknownFigureError, UnknownNameError
from tianji.formatting import format_number
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.hardware.mixture import Mixture
from tianji.parallel.plan import Plan
from tianji.prediction.mapper import Mapper
from tianji.ranges import Range
from tianji.units import DAY
from tianji.workload import Job

MATCHES = ("throughput", "cost", "power", "deadline")
"""What is equal: useful tokens a second, dollars of an hour, watts at the site, or days of the run."""
BRACKET_POINTS = 12
"""Sizes of each curve that the answer and its bracket are read off, however many are drawn."""
SPREAD = 4
"""The curve reaches from this fraction of the answer to this many times of it."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """The answer, the curves behind it, and what would flip it.

    ``chips`` brackets the nominal answer by the ranges of both pools: of throughput, read off the curve (a bound that no size
    reaches is None), of prices or of power.
    """

    match: str
    first: Assessed
    other: Assessed
    chips: tuple[float | None, float, float | None]
    first_curve: Curve | FixedCurve
    other_curve: Curve | MixedCurve
    answer: str
    """What the sensitivities move: a ratio of the other pool over the first, in words."""
    sensitivities: tuple[Sensitivity, ...]
    both: Comparison
    """The two side by side."""
    target: float | None = None
    """Useful tokens a second that a deadline asks for; None: those of the first pool."""
    nominal: float | None = None
    """The answer with every assumption as it is; None where it has no figure."""
    price: FlipPrice = field(default_factory=FlipPrice)
    """What the other pool's chip-hour may cost."""
    batches: tuple[AtBatch, ...] = ()
    """Both pools at every batch of a list, each with the chips that replace; empty without a list."""

    def __repr__(self) -> str:
        return f"Replacement({self.first.name} by {self.other.name}, by {self.match}: {self.chips} chips)"


def replace_pool(
    first: tuple[Job, Pool | Mixture], other: tuple[Job, Pool], calibration: Calibration,
    assumptions: Assumptions | None = None, *, match: str = "throughput", days: float | None = None, points: int = 12,
    batches: Sequence[int] = (), mapper: Mapper | None = None,
) -> Replacement:  # fmt: skip
    """Return the smallest number of the other chips that replaces the first pool.

    The other pool is searched anew at every size. With ``cost`` and ``power`` equal the answer is the fastest number of chips
    that these allow.

    Args:
        first: The job and the pool to replace, with its chips, or a mixture.
        other: The job and the pool that replaces it; its number of chips is not looked at.
        calibration: Of both pools.
        assumptions: Prices, powers and failures in place of the catalog's.
        match: What is equal, one of ``MATCHES``.
        days: The deadline of ``match="deadline"``; None: the days of the first pool.
        points: Sizes that draw each curve.
        batches: Other batches, at each of which the chips that replace are found, too.
        mapper: Searches the sizes of the curves elsewhere.

    Raises:
        UnknownNameError: ``match`` is none of ``MATCHES``.
        InfeasibleError: No size is enough, or the model does not fit the first pool.
        UnknownFigureError: A price or a power is needed that nobody published.
    """
    if match not in MATCHES:
        raise UnknownNameError("match", match, MATCHES)
    given = assumptions or Assumptions()
    other_curve = Curve(*other, calibration, given, mapper=mapper)
    job, place = first
    first_curve = (
        FixedCurve(job, place, calibration, given)
        if isinstance(place, Mixture)
        else Curve(job, place, calibration, given, mapper=mapper)
    )
    base, best, limit, plans = _find(first_curve, other_curve, match, days)
    draw_curve(other_curve, best.pool.chips, BRACKET_POINTS)
    bracket = _bracket(match, base, best, other_curve, limit)
    answer, ratio = say_answer(match, base, best)
    sensitivities = compute_sensitivities(other_curve, base, best, ratio, plans)
    if isinstance(first_curve, Curve):
        draw_curve(first_curve, base.offered, points)
    draw_curve(other_curve, best.pool.chips, points)
    if match not in SPENT:
        wanted = base.useful.nominal if limit is None else base.job.tokens / (limit * DAY)
        sensitivities = find_chips(sensitivities, other_curve, wanted)
    # A deadline that is the first pool's own moves with it.
    target = None if limit is None or days is None else base.job.tokens / (limit * DAY)
    both = set_side_by_side((base, best), given)
    both = replace(both, batches=weigh_round_batches(both.assessments, calibration, given))
    own = first[0].global_batch_size
    at_batches = {own: AtBatch(own, (base, best))}
    for batch in batches:
        if batch not in at_batches:
            at_batches[batch] = _at_batch(batch, (first_curve, other_curve), match, days)
    return Replacement(
        match, base, best, bracket, first_curve, other_curve, answer, sensitivities, both, target, ratio(base, best),
        find_flip_price(base, best, given),
        tuple(at_batches[batch] for batch in sorted(at_batches)) if batches else (),
    )  # fmt: skip


def _find(
    first_curve: Curve | FixedCurve, other_curve: Curve, match: str, days: float | None
) -> tuple[Assessed, Assessment, float | None, list[Plan]]:
    """Return the first pool, what replaces it, the deadline, and the plans that win on it under other assumptions."""
    base = find_first(first_curve)
    limit = find_deadline(base, days) if match == "deadline" else None
    smallest = _match(match, base, other_curve, limit)
    plans = find_alternative_plans(other_curve, smallest)
    best = other_curve.points[smallest.pool.chips] = choose_best(other_curve, plans, other_curve.calibration)
    return base, best, limit, plans


def find_first(curve: Curve | FixedCurve) -> Assessed:
    """Return the pool that is replaced; raises InfeasibleError where the model does not fit it."""
    job, pool = curve.job, curve.pool
    base: Assessed | None = curve.at(pool.chips)
    if base is None:
        raise InfeasibleError(
            f"{job.model.name} does not fit {pool.chips:,} chips of {pool.name}: no legal strategy holds it; "
            f"`tianji plan {job.model.name} {pool.name} --chips {pool.chips}` names the closest"
        )
    return base


def _at_batch(batch: int, curves: tuple[Curve | FixedCurve, Curve], match: str, days: float | None) -> AtBatch:
    """Return both pools at another batch; what nothing replaces has None."""
    first, other = curves[0].at_batch(batch), curves[1].at_batch(batch)
    try:
        base, best, _, _ = _find(first, other, match, days)
    except InfeasibleError:
        return AtBatch(batch, (first.points.get(first.pool.chips), None))
    return AtBatch(batch, (base, best))


def find_deadline(base: Assessed, days: float | None) -> float:
    """Return the days that are allowed: those that were said, else those of the first pool."""
    limit = days if days is not None else None if base.days is None else base.days.nominal
    if limit is None:
        raise InfeasibleError("--match deadline needs the work: give --tokens, like --tokens 15T")
    return limit


def _match(match: str, base: Assessed, curve: Curve, limit: float | None) -> Assessment:
    if match == "throughput":
        return _smallest(curve, base.useful.nominal, "gives as many useful tokens a second")
    if limit is not None:
        target = base.job.tokens / (limit * DAY)
        if not target:
            raise InfeasibleError("--match deadline needs the work: give --tokens, like --tokens 15T")
        return _smallest(curve, target, f"finishes in {format_number(limit)} days")
    spent = SPENT[match]
    allowed = spent(base).nominal
    return _fastest(
        curve, lambda a: spent(a).nominal <= allowed, "that little money" if match == "cost" else "that little power"
    )


def _hourly(a: Assessed) -> Range:
    if a.cost_per_hour is None:
        raise (
            ask_cost(a)
            if isinstance(a, Assessment)
            else UnknownFigureError(a.name, "price of a part", "; ".join(a.unknown))
        )
    return a.cost_per_hour


def _watts(a: Assessed) -> Range:
    if a.site_power is None:
        raise ask_power(next(part.pool for part in a.parts if part.power is None))
    return a.site_power


SPENT: dict[str, Callable[[Assessed], Range]] = {"cost": _hourly, "power": _watts}
"""What the two pools take equally much of."""


def _smallest(curve: Curve, target: float, what: str) -> Assessment:
    smallest = curve.find_smallest(target, curve.pool.node, curve.most)
    if smallest is None:
        best = max((a for a in curve.points.values() if a), key=lambda a: a.useful.nominal, default=None)
        reached = (
            f"; the most is {best.useful.nominal:,.0f} useful tokens/s with {best.pool.chips:,} chips" if best else ""
        )
        raise InfeasibleError(
            f"no number of chips of {curve.pool.name} (at most {curve.most:,}) {what}{reached}; take "
            f"{curve.pool.larger or 'a pool with a further tier'} or a larger --batch"
        )
    return smallest


def _fastest(curve: Curve, allowed: Callable[[Assessment], bool], what: str) -> Assessment:
    """Return the size with the most useful throughput among those that are allowed; cost and power grow with the chips."""
    counts = curve.counts(curve.pool.node, curve.most)
    low, high = 0, len(counts)
    while low < high:
        middle = (low + high) // 2
        size = curve.at(counts[middle])
        if size is None or allowed(size):
            low = middle + 1
        else:
            high = middle
    near = [curve.at(n) for n in counts[max(low - 4, 0) : low]]
    fitting = [a for a in near if a is not None and allowed(a)]
    if not fitting:
        raise InfeasibleError(f"the model fits no pool of {curve.pool.name} that takes {what}")
    return max(fitting, key=lambda a: a.useful.nominal)


def draw_curve(curve: Curve, chips: int, points: int) -> None:
    """Try about so many sizes around a number of chips."""
    least, most = max(chips // SPREAD, curve.pool.node), min(chips * SPREAD, curve.most)
    curve.fill(curve.sample(least, most, points))


def _bracket(
    match: str, base: Assessed, best: Assessment, curve: Curve, limit: float | None
) -> tuple[float | None, float, float | None]:
    nominal = float(best.pool.chips)
    if match in SPENT:
        # Money and power grow with the chips, so their ranges move the number of chips alike; whole nodes count.
        affordable, node = SPENT[match](base) / SPENT[match](best) * nominal, best.pool.node
        few, many = (max(number // node, 1) * node for number in (affordable.low, affordable.high))
        return min(few, nominal), nominal, min(max(many, nominal), float(curve.most))
    target = base.useful
    if limit is not None and base.days is not None:
        # A deadline that is the first pool's own moves with it; one that was given does not.
        target = target if limit == base.days.nominal else Range.exactly(base.job.tokens / (limit * DAY))
    return curve.solve(target.low, "high"), nominal, curve.solve(target.high, "low")


Ratio = Callable[[Assessed, Assessed], float | None]


def say_answer(match: str, base: Assessed, best: Assessed) -> tuple[str, Ratio]:
    """Return what the answer on money or energy is, in words, and the ratio that it is."""
    if match in SPENT:
        what = "money" if match == "cost" else "power"
        return f"useful tokens for the same {what}, the other pool over the first", partial(_yield_ratio, SPENT[match])
    if base.cost is not None and best.cost is not None:
        return "cost of a useful token, the other pool over the first", _cost_ratio
    return "energy of a useful token, the other pool over the first", _energy_ratio


def _yield_ratio(spent: Callable[[Assessed], Range], a: Assessed, b: Assessed) -> float:
    return b.useful.nominal / spent(b).nominal * spent(a).nominal / a.useful.nominal


def _cost_ratio(a: Assessed, b: Assessed) -> float | None:
    return None if a.cost is None or b.cost is None else b.cost.nominal / a.cost.nominal


def _energy_ratio(a: Assessed, b: Assessed) -> float | None:
    return None if a.energy is None or b.energy is None else b.energy.nominal / a.energy.nominal


def describe_answer(replacement: Replacement) -> str:
    """Return the answer in one sentence."""
    few, nominal, many = replacement.chips
    first, other = replacement.first, replacement.other
    least = f"{few:,.0f}" if few is not None else "fewer than were tried"
    most = f"{many:,.0f}" if many is not None else "more than were tried"
    around = "" if few == many else f" ({least} to {most} by both ranges)"
    how = {"throughput": "give as many useful tokens", "deadline": "meet the deadline", "cost": "cost as much an hour",
           "power": "take as much power"}[replacement.match]  # fmt: skip
    units = other.floor_space
    what = f"{nominal:,.0f} chips of {other.place.name} ({units.units:,} × {units.unit_chips:,}, spares counted)"
    if isinstance(other, MixedAssessment):
        what = f"{nominal:,.0f} chips, {other.name},"
    return (
        f"{what}{around} {how}"
        f" as {format_pool(first)}; useful throughput {other.useful.nominal / first.useful.nominal:.2f} times."
    )
