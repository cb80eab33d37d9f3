"""A range: the low, nominal and high case of one figure, and arithmetic that keeps the cases apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import erf, hypot, log, sqrt
from typing import TypedDict

from tianji.errors import FormatError

CASES = ("low", "nominal", "high")
TENTH = 1.2815515655446004
"""Standard deviations beyond which a tenth of a normal lies."""


class RangeDocument(TypedDict):
    """A range in a JSON document, in the unit that its key names: always these three, and nothing else."""

    low: float
    nominal: float
    high: float


@dataclass(frozen=True, slots=True)
class Range:
    """Low, nominal and high of one figure, in the figure's own unit; of a prediction, its 80 % range.

    Sums, products and quotients are for figures of at least 0. They combine the worst of both sides: the range of a product
    holds every product. Figures that move together come out wider than they are, never narrower. A result of arithmetic has
    no ``leans_on``: it leans on several things.

    >>> Range(1, 2, 3) * 2 / Range(1, 2, 4)
    Range(low=0.5, nominal=2.0, high=6.0, leans_on='')

    Raises FormatError unless ``low <= nominal <= high``.
    """

    low: float
    nominal: float
    high: float
    leans_on: str = ""
    """What the range rests on, in words: ``measured``, ``inherited`` or ``roadmap``, with details."""

    def __post_init__(self) -> None:
        if not self.low <= self.nominal <= self.high:
            cases = ", ".join(f"{case:g}" for case in (self.low, self.nominal, self.high))
            raise FormatError(f"a range goes up: expected low <= nominal <= high, got {cases}")

    @classmethod
    def exactly(cls, value: float) -> Range:
        """Return the range of a figure that is known: all three cases are the value.

        >>> Range.exactly(2.0).is_exact
        True
        """
        return cls(value, value, value)

    @classmethod
    def total(cls, ranges: Iterable[Range]) -> Range:
        """Return the sum of ranges; of none it is exactly 0."""
        result = cls.exactly(0.0)
        for one in ranges:
            result = result + one
        return result

    @classmethod
    def from_dict(cls, values: Mapping[str, object], where: str = "range") -> Range:
        """Return the range that :meth:`to_dict` wrote.

        Raises FormatError when a case is missing, is no number or lies on the wrong side.
        """
        cases = []
        for case in CASES:
            value = values.get(case)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise FormatError(f"{where}.{case}: expected a number, got {value!r:.60}")
            cases.append(float(value))
        try:
            return cls(cases[0], cases[1], cases[2])
        except FormatError as error:
            raise FormatError(f"{where}: {error}") from None

    def to_dict(self) -> RangeDocument:
        """Return the three cases by name, for JSON."""
        return {"low": self.low, "nominal": self.nominal, "high": self.high}

    @property
    def is_exact(self) -> bool:
        """The three cases are one."""
        return self.low == self.high

    def map(self, function: Callable[[float], float]) -> Range:
        """Return the range of a monotone function of the figure, rising or falling.

        >>> Range(1, 2, 4).map(lambda hours: 8 / hours)
        Range(low=2.0, nominal=4.0, high=8.0, leans_on='')
        """
        ends = function(self.low), function(self.high)
        return Range(min(ends), function(self.nominal), max(ends))

    def __add__(self, other: float | Range) -> Range:
        o = _as_range(other)
        return Range(self.low + o.low, self.nominal + o.nominal, self.high + o.high)

    def __mul__(self, other: float | Range) -> Range:
        o = _as_range(other)
        return Range(self.low * o.low, self.nominal * o.nominal, self.high * o.high)

    def __truediv__(self, other: float | Range) -> Range:
        o = _as_range(other)
        return Range(self.low / o.high, self.nominal / o.nominal, self.high / o.low)

    __radd__, __rmul__ = __add__, __mul__

    def __rtruediv__(self, other: float) -> Range:
        return _as_range(other) / self

    def is_below(self, other: Range) -> bool:
        """Return whether this range ends before the other begins.

        >>> Range(1, 2, 3).is_below(Range(4, 5, 6)), Range(1, 2, 3).is_below(Range(3, 5, 6))
        (True, False)
        """
        return self.high < other.low

    def overlaps(self, other: Range) -> bool:
        """Return whether the two ranges have a value in common."""
        return not (self.is_below(other) or other.is_below(self))


def _as_range(value: float | Range) -> Range:
    return value if isinstance(value, Range) else Range.exactly(value)


def chance_of_at_least(one: Range, other: Range) -> float:
    """Return the chance that one figure is at least the other, both of them above 0 and independent.

    An 80 % range is taken for a log-normal of two halves: each half has the deviation that puts a tenth beyond its end. The
    halves that face each other count: with d = ln(one / other) of the nominals and s those two deviations in quadrature, the
    chance is the normal one of d / s. Figures that are known exactly give 0 or 1.

    >>> chance_of_at_least(Range(1, 2, 3), Range(1, 2, 3)), chance_of_at_least(Range.exactly(2), Range.exactly(3))
    (0.5, 0.0)
    """
    d = log(one.nominal / other.nominal)
    if not d:
        return 1.0 if one.is_exact and other.is_exact else 0.5
    below, above = (one, other) if d > 0 else (other, one)
    deviation = hypot(log(below.nominal / below.low), log(above.high / above.nominal)) / TENTH
    if not deviation:
        return 1.0 if d > 0 else 0.0
    return 0.5 * (1.0 + erf(d / deviation / sqrt(2.0)))
