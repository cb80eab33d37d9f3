"""A range in a document: always low, nominal and high, and nothing else."""

from __future__ import annotations

from typing import Protocol, TypedDict


class RangeDocument(TypedDict):
    """A figure with its range, in the unit that its key names."""

    low: float
    nominal: float
    high: float


class HasEnds(Protocol):
    """Any type of range."""

    @property
    def low(self) -> float:
        """Low end."""

    @property
    def nominal(self) -> float:
        """Nominal value."""

    @property
    def high(self) -> float:
        """High end."""


def range_document(span: HasEnds, scale: float = 1.0) -> RangeDocument:
    """Return a range times ``scale``."""
    return {"low": span.low * scale, "nominal": span.nominal * scale, "high": span.high * scale}
