"""A figure: a number with the place it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field

from tianji.ranges import Range

CONFIDENCES = ("official", "official_tool", "paper", "analyst", "secondary", "press", "unverified", "estimate", "user")
"""How far a figure can be trusted, best first. ``user`` marks what a user's own file supplies."""

ROADMAP = ("announced", "roadmap")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number in SI units with its source.

    ``low`` and ``high`` bracket it where the source gives a span (then ``value`` is the middle); ``alternatives``
    keeps, as text, the figures of other sources that contradict it.
    """

    value: float
    source: str
    confidence: str
    note: str = ""
    low: float | None = None
    high: float | None = None
    alternatives: tuple[str, ...] = field(default=())
    text: str = ""
    """The figure as its entry writes it, with its unit, for people to read."""

    def at(self, case: str) -> float:
        """Return the value in the ``low``, ``nominal`` or ``high`` case.

        >>> Figure(2.0, "MANUAL", "user", low=1.0).at("low"), Figure(2.0, "MANUAL", "user", low=1.0).at("high")
        (1.0, 2.0)
        """
        return float(getattr(self.range, case))

    @property
    def range(self) -> Range:
        """The figure as a range; an end that no source gives is the value."""
        low = self.value if self.low is None else self.low
        return Range(low, self.value, self.value if self.high is None else self.high)
