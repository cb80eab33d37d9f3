"""Which assumption would flip the answer: each is moved to both of its ends alone, strategies searched anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tianji.comparison.assessment import Assessment, assess
from tianji.comparison.curve import Curve
from tianji.economics import Span
from tianji.result import Range

SWING = 0.2
"""Link efficiency and MFU are moved this far to both sides: what separate releases of the same software differ by at most."""


@dataclass(frozen=True, slots=True)
class Swing:
    """One bar of a tornado: the answer with an assumption at its low and its high end."""

    assumption: str
    low: str
    """The low end, in words."""
    high: str
    at_low: float
    at_high: float
    flips: bool
    """The answer crosses 1 between the two ends."""

    @property
    def width(self) -> float:
        """How far the answer moves."""
        return abs(self.at_high - self.at_low)


Answer = Callable[[Assessment, Assessment], float | None]


def weigh(curve: Curve, first: Assessment, other: Assessment, answer: Answer) -> tuple[Swing, ...]:
    """Return how the answer moves with each assumption about the other pool, the widest first."""

    def moved(what: str) -> tuple[Assessment | None, Assessment | None]:
        return _with(curve, other, what, 1 - SWING), _with(curve, other, what, 1 + SWING)

    bars = (
        ("link efficiency", "-20 %", "+20 %", *moved("links")),
        ("MFU", "-20 %", "+20 %", *moved("matmul")),
        ("step time, by its range", "slow", "fast", *_steps(curve, other)),
        ("failure rate", "most", "fewest", *_failures(curve, other)),
        ("rent", *_rents(curve, other)),
        ("electricity price", *_electricity(curve, other)),
    )
    found = [_swing(*bar, first, answer) for bar in bars]
    return tuple(sorted((s for s in found if s is not None), key=lambda s: -s.width))


def _swing(
    name: str, low: str, high: str, a: Assessment | None, b: Assessment | None, first: Assessment, answer: Answer
) -> Swing | None:
    if a is None or b is None:
        return None
    at_low, at_high = answer(first, a), answer(first, b)
    if at_low is None or at_high is None:
        return None
    return Swing(name, low, high, at_low, at_high, min(at_low, at_high) < 1 < max(at_low, at_high))


def _with(curve: Curve, other: Assessment, what: str, factor: float) -> Assessment | None:
    """Return the other pool with its chip's links or matrix rate off by a factor, under its own best strategy."""
    chip = curve.pool.chip
    constants = curve.calibration.constants(chip)
    names = (
        ("scale_up_efficiency", "scale_out_efficiency")
        if what == "links"
        else ("matmul_efficiency", "attention_efficiency")
    )
    moved = replace(constants, **{name: min(getattr(constants, name) * factor, 1.0) for name in names})
    calibration = replace(curve.calibration, chips={**curve.calibration.chips, chip.name: moved})
    return Curve(curve.job, curve.pool, calibration, curve.assumptions).at(other.pool.chips)


def _steps(curve: Curve, other: Assessment) -> tuple[Assessment, Assessment]:
    step = other.result.step_time
    return _at_step(curve, other, step.high), _at_step(curve, other, step.low)


def _at_step(curve: Curve, other: Assessment, seconds: float) -> Assessment:
    return assess(replace(other.result, step_time=Range(seconds, seconds, seconds)), curve.assumptions)


def _failures(curve: Curve, other: Assessment) -> tuple[Assessment, Assessment]:
    # Goodput multiplies throughput, so a step that is longer by the goodput's ratio is the same as that goodput.
    good, step = other.goodput, other.result.step_time.nominal
    shares = good.low.goodput, good.high.goodput
    most, fewest = (_at_step(curve, other, step * good.nominal.goodput / share) for share in shares)
    return most, fewest


def _rents(curve: Curve, other: Assessment) -> tuple[str, str, Assessment | None, Assessment | None]:
    price = other.hour.price
    if price is None or price.low == price.high or other.hour.basis != "rent":
        return "", "", None, None
    low, high = (
        assess(other.result, replace(curve.assumptions, rents={other.pool.name: value}))
        for value in (price.low, price.high)
    )
    return f"{price.low:.2f} USD", f"{price.high:.2f} USD", low, high


def _electricity(curve: Curve, other: Assessment) -> tuple[str, str, Assessment | None, Assessment | None]:
    price = Span.of(other.site.electricity)
    if other.hour.basis != "own":
        return "", "", None, None
    low, high = (
        assess(other.result, replace(curve.assumptions, electricity=value)) for value in (price.low, price.high)
    )
    return f"{price.low:.3f} USD", f"{price.high:.3f} USD", low, high
