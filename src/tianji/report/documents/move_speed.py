"""JSON of the speed of a moved job: numbers in SI units, and the sentences that a reader needs with them."""

from __future__ import annotations

from typing import TypedDict

from tianji.formatting import format_duration
from tianji.migration.speed import Speed
from tianji.ranges import RangeDocument
from tianji.report.documents.ranges import range_document
from tianji.result import Result


class MovedRunDocument(TypedDict):
    """The fastest plan of the job on one pool."""

    pool: str
    chips: int
    strategy: str
    step_time_range_s: RangeDocument
    days: float | None


class ReplacingChipsDocument(TypedDict):
    """Chips of the target that replace the present pool; an end that was not reached is null."""

    low: float | None
    nominal: float
    high: float | None


class FallbackDocument(TypedDict):
    """A name that is computed on the CPU, with a place where it is used."""

    name: str
    place: str


class SwitchDocument(TypedDict):
    """A switch of the target's stack."""

    switch: str
    why: str
    source: str


class SpeedFactDocument(TypedDict):
    """A sentence about the speed."""

    label: str
    text: str


class MoveSpeedDocument(TypedDict):
    """How fast the moved job is predicted to be."""

    model: str
    found_in: str
    target: MovedRunDocument
    present: MovedRunDocument | None
    replacing_chips: ReplacingChipsDocument | None
    fallbacks: list[FallbackDocument]
    packages_without_answer: list[str]
    switches: list[SwitchDocument]
    facts: list[SpeedFactDocument]


def speed_document(speed: Speed) -> MoveSpeedDocument:
    """Return what a moved job takes."""
    return {
        "model": speed.model.name,
        "found_in": speed.found_in,
        "target": _result(speed.target),
        "present": None if speed.present is None else _result(speed.present),
        "replacing_chips": None
        if speed.replacing_chips is None
        else {"low": speed.replacing_chips[0], "nominal": speed.replacing_chips[1], "high": speed.replacing_chips[2]},
        "fallbacks": [{"name": name, "place": place} for name, place in speed.fallbacks],
        "packages_without_answer": list(speed.lost),
        "switches": [{"switch": s.switch, "why": s.why, "source": s.source} for s in speed.switches],
        "facts": [{"label": label, "text": text} for label, text in _facts(speed)],
    }


def _result(result: Result) -> MovedRunDocument:
    return {
        "pool": result.plan.pool.name,
        "chips": result.plan.pool.chips,
        "strategy": str(result.plan.strategy.chips),
        "step_time_range_s": range_document(result.step_time),
        "days": result.days,
    }


def _facts(speed: Speed) -> list[tuple[str, str]]:
    facts = [("Model", f"{speed.model.name}, from {speed.found_in}")]
    facts.append(("On the target", _sentence(speed.target)))
    if speed.present is not None:
        facts.append(("At present", _sentence(speed.present)))
    if speed.replacing_chips is not None:
        low, nominal, high = speed.replacing_chips
        ends = f" ({low:,.0f} to {high:,.0f})" if low is not None and high is not None else ""
        facts.append(("To replace it", f"{nominal:,.0f} chips of the target{ends}, by useful tokens"))
    if speed.fallbacks:
        names = ", ".join(f"{name} ({place})" for name, place in speed.fallbacks[:4])
        more = f" and {len(speed.fallbacks) - 4} more" if len(speed.fallbacks) > 4 else ""
        text = f"{names}{more} fall back to the CPU: each use waits for the queue. Not in the prediction."
        facts.append(("CPU fallback", text))
    if speed.lost:
        facts.append(
            (
                "Without an answer",
                f"{', '.join(speed.lost)}: the prediction takes the target's own kernels in their place",
            )
        )
    return facts


def _sentence(result: Result) -> str:
    step = result.step_time
    days = "" if result.days is None else f", {result.days:,.1f} days for the job"
    where = f"{result.plan.pool.chips:,} x {result.plan.pool.name}"
    nominal, low, high = map(format_duration, (step.nominal, step.low, step.high))
    return f"{nominal} a step ({low} to {high}){days} on {where}"
