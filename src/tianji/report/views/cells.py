"""Cells: numbers of a document with the words that people read. Every view says a time, a size or a share the same way."""

from __future__ import annotations

from collections.abc import Callable

from tianji.formatting import format_bytes, format_days, format_duration, format_ends, format_percent
from tianji.ranges import Range
from tianji.report.documents.ranges import RangeDocument
from tianji.report.view import Cell, Number
from tianji.units import show


def ranged(span: RangeDocument, text: Callable[[float], str]) -> Number:
    """Return a range as a number with its ends.

    >>> ranged({"low": 1.0, "nominal": 2.0, "high": 3.0}, str).words
    '2.0 (1.0 to 3.0)'
    """
    cases = Range.from_dict(span)
    return Number(cases.nominal, text(cases.nominal), cases.low, cases.high, format_ends(cases, text))


def ranged_or(span: RangeDocument | None, text: Callable[[float], str], missing: str) -> Cell:
    """Return a range as a number, or a word where there is none."""
    return missing if span is None else ranged(span, text)


def time_of(seconds: float) -> Number:
    """Return a time."""
    return Number(seconds, format_duration(seconds))


def size_of(value: float) -> Number:
    """Return a size."""
    return Number(value, format_bytes(value))


def bytes_of(value: float) -> Number:
    """Return bytes in the unit that suits them, where they are of any magnitude.

    >>> bytes_of(65536.0).text
    '65.5 kB'
    """
    return Number(value, show(value, "bytes"))


def share_of(value: float, digits: int = 1) -> Number:
    """Return a share of a whole.

    >>> share_of(0.548).text
    '54.8 %'
    """
    return Number(value, format_percent(value, digits))


def count_of(value: float) -> Number:
    """Return a whole number.

    >>> count_of(77190.2).text
    '77,190'
    """
    return Number(value, f"{value:,.0f}")


def days_of(span: RangeDocument) -> Number:
    """Return days with their range.

    >>> days_of({"low": 128.84, "nominal": 149.9, "high": 176.1}).words
    '149.9 (128.8 to 176.1)'
    """
    return ranged(span, format_days)
