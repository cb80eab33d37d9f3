"""A span: the low, nominal and high case of one positive figure, and arithmetic that keeps the cases apart."""

from __future__ import annotations

from dataclasses import dataclass

from tianji.hardware import Figure


@dataclass(frozen=True, slots=True)
class Span:
    """Low, nominal and high of a figure that is not below zero.

    Arithmetic takes the worst of both sides: the span of a product holds every product. Ranges that move together come out
    wider than they are, never narrower.

    >>> Span(1, 2, 3) * 2 / Span(1, 2, 4)
    Span(low=0.5, nominal=2.0, high=6.0)
    """

    low: float
    nominal: float
    high: float

    @classmethod
    def of(cls, value: float | Figure | Span) -> Span:
        """Return a number, a figure or a span as a span; a figure's missing bound is its value."""
        if isinstance(value, Span):
            return value
        if isinstance(value, Figure):
            low = value.value if value.low is None else value.low
            return cls(low, value.value, value.value if value.high is None else value.high)
        return cls(value, value, value)

    def __add__(self, other: float | Span) -> Span:
        o = Span.of(other)
        return Span(self.low + o.low, self.nominal + o.nominal, self.high + o.high)

    def __mul__(self, other: float | Span) -> Span:
        o = Span.of(other)
        return Span(self.low * o.low, self.nominal * o.nominal, self.high * o.high)

    def __truediv__(self, other: float | Span) -> Span:
        o = Span.of(other)
        return Span(self.low / o.high, self.nominal / o.nominal, self.high / o.low)

    __radd__, __rmul__ = __add__, __mul__

    def __rtruediv__(self, other: float) -> Span:
        return Span.of(other) / self

    def is_below(self, other: Span) -> bool:
        """Return whether this span ends before the other begins.

        >>> Span(1, 2, 3).is_below(Span(4, 5, 6)), Span(1, 2, 3).is_below(Span(3, 5, 6))
        (True, False)
        """
        return self.high < other.low

    def overlaps(self, other: Span) -> bool:
        """Return whether the two spans have a value in common."""
        return not (self.is_below(other) or other.is_below(self))
