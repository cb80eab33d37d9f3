"""Which assumption would flip the answer: each is moved to both of its ends alone, strategies searched anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tianji.comparison.assessment import Assessment, Assumptions, assess, assess_predicted
from tianji.comparison.curve import Curve
from tianji.comparison.measures import Assessed
from tianji.hardware.calibration import Calibration
from tianji.parallel.plan import Plan
from tianji.parallel.software_fields import hold_fields
from tianji.prediction import predict
from tianji.ranges import Range
from tianji.search.coarse import find_roomy
from tianji.units import HOUR, TERA

SWING = 0.2
"""Link efficiency and MFU are moved this far to both sides: what separate releases of the same software differ by at most."""

MOVED = {
    "links": ("scale_up_efficiency", "scale_out_efficiency"),
    "rates": ("matmul_efficiency", "narrow_efficiency", "attention_efficiency"),
}
"""The constants of a calibration that are moved together."""
MOVES = tuple((what, factor) for what in MOVED for factor in (1 - SWING, 1 + SWING))


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """One assumption and what it moves: the answer with it at its low and at its high end, a bar of a tornado."""

    assumption: str
    low: str
    """The low end, in words."""
    high: str
    at_low: float
    at_high: float
    flips: bool
    """The answer crosses 1 between the two ends."""
    speed_at_low: float = 1.0
    """Useful tokens a second there, over those as things are."""
    speed_at_high: float = 1.0
    chips_at_low: float | None = None
    """Chips that suffice there; None: beyond those that were tried, or another question was asked."""
    chips_at_high: float | None = None

    @property
    def width(self) -> float:
        """How far the answer moves."""
        return abs(self.at_high - self.at_low)


Answer = Callable[[Assessed, Assessment], float | None]


def compute_sensitivities(
    curve: Curve, first: Assessed, other: Assessment, answer: Answer, alternatives: Sequence[Plan]
) -> tuple[Sensitivity, ...]:
    """Return how the answer moves with each assumption about the other pool, the widest first.

    ``answer`` is the ratio of the other pool over the first (1: equal); an assumption for which it has no value is left out.
    ``alternatives`` are the plans of :func:`find_alternative_plans`, of which ``other`` is the best as things are.
    """
    ends = {move: choose_best(curve, alternatives, _move(curve, *move)) for move in MOVES}
    bars = (
        ("link efficiency", "-20 %", "+20 %", ends["links", 1 - SWING], ends["links", 1 + SWING]),
        ("MFU", "-20 %", "+20 %", ends["rates", 1 - SWING], ends["rates", 1 + SWING]),
        ("step time, by its range", "slow", "fast", *_steps(curve, other)),
        ("failure rate", "most", "fewest", *_failures(curve, other)),
        ("rent", *_rents(curve, other)),
        ("purchase price", *_prices(curve, other)),
        ("renting or owning", *_ways_to_pay(other)),
        ("electricity price", *_electricity(curve, other)),
        ("power of a chip, with its share", *_powers(curve, other)),
    )
    moved = [_sensitivity(*bar, (first, other), answer) for bar in bars]
    return tuple(sorted((s for s in moved if s is not None), key=lambda s: -s.width))


def find_alternative_plans(curve: Curve, other: Assessment) -> list[Plan]:
    """Return the plans that win on so many chips when links or rates are better or worse, the given one first.

    The search of each end comes near the fastest plan, not always to it. Each end therefore takes the best of all these plans,
    so that worse links cannot come out with the better plan.
    """
    strategies = {other.result.plan.strategy: None}
    decided = hold_fields(curve.calibration, other.pool.chip, {})
    for move in MOVES:
        fast = find_roomy(curve.job, other.pool, _move(curve, *move).constants(other.pool.chip), fixed=decided)
        strategies |= {fast.strategy: None} if fast else {}
    return [Plan(curve.job, other.pool, strategy) for strategy in strategies]


def choose_best(curve: Curve, plans: Sequence[Plan], calibration: Calibration) -> Assessment:
    """Return the plan with the most useful tokens a second under a calibration."""
    assessments = (assess_predicted(predict(plan, calibration), curve.assumptions) for plan in plans)
    return max(assessments, key=lambda a: a.useful.nominal)


def _sensitivity(
    name: str, low: str, high: str, a: Assessment | None, b: Assessment | None, pair: tuple[Assessed, Assessment], answer: Answer
) -> Sensitivity | None:  # fmt: skip
    if a is None or b is None:
        return None
    first, other = pair
    at_low, at_high = answer(first, a), answer(first, b)
    if at_low is None or at_high is None:
        return None
    speeds = (end.useful.nominal / other.useful.nominal for end in (a, b))
    return Sensitivity(name, low, high, at_low, at_high, min(at_low, at_high) < 1 < max(at_low, at_high), *speeds)


def find_chips(sensitivities: Sequence[Sensitivity], curve: Curve, target: float) -> tuple[Sensitivity, ...]:
    """Return the assumptions with the chips that give so many useful tokens a second at each end.

    They are read off the curve: where each size gives ``f`` times what it gives now, the target over ``f`` is looked up.
    """
    return tuple(
        replace(
            s,
            chips_at_low=curve.solve(target / s.speed_at_low, "nominal"),
            chips_at_high=curve.solve(target / s.speed_at_high, "nominal"),
        )
        for s in sensitivities
    )


def _move(curve: Curve, what: str, factor: float) -> Calibration:
    """Return the calibration with the chip's links or matrix rates off by a factor.

    The constants have the effects of the software inside already, so those are taken out: they would count twice.
    """
    constants = curve.calibration.constants(curve.pool.chip)
    moved = replace(constants, **{name: min(getattr(constants, name) * factor, 1.0) for name in MOVED[what]})
    return replace(curve.calibration, chips={curve.pool.chip.name: moved}, software={})


def _steps(curve: Curve, other: Assessment) -> tuple[Assessment, Assessment]:
    step = other.result.step_time
    return _at_step(curve, other, step.high), _at_step(curve, other, step.low)


def _at_step(curve: Curve, other: Assessment, seconds: float) -> Assessment:
    return assess(replace(other.result, step_time=Range.exactly(seconds)), curve.assumptions)


def _failures(curve: Curve, other: Assessment) -> tuple[Assessment, Assessment]:
    # Goodput multiplies throughput, so a step that is longer by the goodput's ratio is the same as that goodput.
    good, step = other.goodput, other.result.step_time.nominal
    shares = good.low.goodput, good.high.goodput
    most, fewest = (_at_step(curve, other, step * good.nominal.goodput / share) for share in shares)
    return most, fewest


Ends = tuple[str, str, Assessment | None, Assessment | None]
"""Both ends of an assumption in words, and what follows from them; without a range there is nothing."""
NO_RANGE: Ends = ("", "", None, None)


def _rents(curve: Curve, other: Assessment) -> Ends:
    price = other.chip_hour.price
    if price is None or other.chip_hour.basis != "rent":
        return NO_RANGE
    return _ends(other, price, "{:.2f} USD", lambda usd: replace(curve.assumptions, rents={other.pool.name: usd}))


def _prices(curve: Curve, other: Assessment) -> Ends:
    given, pool = curve.assumptions, other.pool
    if other.chip_hour.basis != "own" or other.chip_hour.is_stated:
        return NO_RANGE
    if pool.price is not None:
        return _ends(
            other, pool.price.range, "{:,.0f} USD a unit", lambda usd: replace(given, unit_prices={pool.name: usd})
        )
    listed = pool.chip.price
    if listed is None:
        return NO_RANGE
    return _ends(
        other,
        listed.range,
        "{:,.0f} USD",
        lambda usd: replace(given, chip_prices={pool.name: usd}),
    )


def _ways_to_pay(other: Assessment) -> Ends:
    """Return the pool rented and owned, where both have a price."""
    basis, otherwise = other.chip_hour.basis, other.otherwise
    if basis == "unknown" or otherwise is None or otherwise.chip_hour.price is None or not other.own_or_rent:
        return NO_RANGE
    # The bill of the other way, under the same plan.
    bill, hourly = (
        otherwise.bill(seconds, other.given.electricity) for seconds in (TERA / other.useful, Range.exactly(HOUR))
    )
    turned = replace(other, bill=bill, hourly_bill=hourly)
    return ("rented", "owned", other, turned) if basis == "rent" else ("rented", "owned", turned, other)


def _electricity(curve: Curve, other: Assessment) -> Ends:
    if other.chip_hour.basis != "own" or curve.assumptions.electricity is not None:
        return NO_RANGE
    price = other.site.electricity.range
    return _ends(other, price, "{:.3f} USD", lambda usd: replace(curve.assumptions, electricity=usd))


def _powers(curve: Curve, other: Assessment) -> Ends:
    if other.power is None:
        return NO_RANGE
    return _ends(
        other, other.power.chip, "{:,.0f} W", lambda watts: replace(curve.assumptions, powers={other.pool.name: watts})
    )


def _ends(other: Assessment, span: Range, form: str, assume: Callable[[float], Assumptions]) -> Ends:
    if span.low == span.high:
        return NO_RANGE
    low, high = (assess(other.result, assume(value)) for value in (span.low, span.high))
    return form.format(span.low), form.format(span.high), low, high
