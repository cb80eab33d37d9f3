"""JSON of the speed of a moved job: numbers in SI units, and the sentences that a reader needs with them."""

from __future__ import annotations

from typing import Any

from tianji.formatting import format_duration
from tianji.migration.speed import Speed
from tianji.report.documents.ranges import range_document
from tianji.result import Result


def speed_document(speed: Speed) -> dict[str, Any]:
    """Return what a moved job takes."""
    return {
        "model": speed.model.name,
        "found_in": speed.found_in,
        "target": _result(speed.target),
        "present": None if speed.present is None else _result(speed.present),
        "replacing_chips": None
        if speed.replacing_chips is None
        else dict(zip(("low", "nominal", "high"), speed.replacing_chips, strict=True)),
        "fallbacks": [{"name": name, "place": place} for name, place in speed.fallbacks],
        "packages_without_answer": list(speed.lost),
        "switches": [{"switch": s.switch, "why": s.why, "source": s.source} for s in speed.switches],
        "facts": [{"label": label, "text": text} for label, text in _facts(speed)],
    }


def _result(result: Result) -> dict[str, Any]:
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
        text = f"{len(speed.fallbacks)} names fall back to the CPU: {names}; each use waits for the queue. Not in the prediction."
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
