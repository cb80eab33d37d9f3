"""A range in a document: always low, nominal and high, and nothing else."""

from __future__ import annotations

from tianji.ranges import Range, RangeDocument

__all__ = ["RangeDocument", "range_document"]


def range_document(figure: Range, scale: float = 1.0) -> RangeDocument:
    """Return a range times ``scale``."""
    return (figure * scale).to_dict()
