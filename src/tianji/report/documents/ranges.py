"""A range in a document: always low, nominal and high, and nothing else."""

from __future__ import annotations

from typing import TypedDict

from tianji.ranges import Range


class RangeDocument(TypedDict):
    """A figure with its range, in the unit that its key names."""

    low: float
    nominal: float
    high: float


def range_document(span: Range, scale: float = 1.0) -> RangeDocument:
    """Return a range times ``scale``."""
    return {"low": span.low * scale, "nominal": span.nominal * scale, "high": span.high * scale}
