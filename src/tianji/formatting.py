"""Numbers as people read them: three digits, thousands apart, never an exponent; ranges as nominal (low to high).

The one place for how a figure looks, in the terminal, on a page and in a sentence. Text with a unit is read and written by
:mod:`tianji.units`, whose :func:`~tianji.units.show` picks the unit; the functions here keep to one unit, so that a column
of them compares at a glance.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tianji.ranges import Range
from tianji.units import GB, MS, US, Bytes, Seconds, format_number, show

__all__ = [
    "format_bytes", "format_count", "format_days", "format_duration", "format_ends", "format_number", "format_percent",
    "format_range", "printable",
]  # fmt: skip

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls, which a terminal obeys, marks that turn the order of letters round, and halves of a character."""


def format_duration(seconds: Seconds) -> str:
    """Return a time with three digits in seconds, milliseconds or microseconds, so that steps compare.

    >>> format_duration(131.04), format_duration(1.9), format_duration(0.000472)
    ('131 s', '1.90 s', '472 us')
    """
    if not seconds:
        return "0"
    scale, unit = _time_unit(seconds)
    return f"{format_number(seconds / scale, keep_zeros=True)} {unit}"


def _time_unit(seconds: Seconds) -> tuple[float, str]:
    # A time that rounds to 1,000 of a unit is 1 of the next.
    return next((s for s in ((1.0, "s"), (MS, "ms")) if seconds >= 0.9995 * s[0]), (US, "us"))


def format_days(days: float) -> str:
    """Return a number of days with one decimal.

    >>> format_days(54.28), format_days(1234.0)
    ('54.3', '1,234.0')
    """
    return f"{days:,.1f}"


def format_bytes(size: Bytes) -> str:
    """Return a size in GB with one decimal, whole from 10,000 GB on.

    >>> format_bytes(136604466576.0)
    '136.6 GB'
    """
    gigabytes = size / GB
    return f"{gigabytes:.1f} GB" if abs(gigabytes) < 10**4 else f"{gigabytes:,.0f} GB"


def format_count(number: float) -> str:
    """Return a count as people say it: in full below a million, then with three digits.

    >>> format_count(671026419200), format_count(15_360)
    ('671B', '15,360')
    """
    return show(number, "count").replace(" ", "") if number >= 10**6 else f"{number:,.0f}"


def printable(text: str) -> str:
    r"""Return a text with a replacement character for each one that would steer a terminal; lines and tabs stay.

    >>> printable("H100\x1b[2J")
    'H100\ufffd[2J'
    """
    return _UNPRINTABLE.sub("\ufffd", text)


def count_noun(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, which has an s where it is not one.

    >>> count_noun(1, "file"), count_noun(1200, "file"), count_noun(0, "entry", "entries")
    ('1 file', '1,200 files', '0 entries')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def format_percent(share: float, digits: int = 1) -> str:
    """Return a share as a percentage with one decimal, or as many as are asked for.

    >>> format_percent(0.0612), format_percent(0.98564, 2)
    ('6.1 %', '98.56 %')
    """
    return f"{share * 100:.{digits}f} %"


def format_ends(cases: Range, form: Callable[[float], str] = format_number) -> str:
    """Return the two ends of a range, each by ``form``; empty where the range is one value.

    >>> format_ends(Range(3.1, 3.4, 4.2), format_duration), format_ends(Range(2, 2, 2))
    ('3.10 s to 4.20 s', '')
    """
    return "" if cases.is_exact else f"{form(cases.low)} to {form(cases.high)}"


def format_range(cases: Range, form: Callable[[float], str] = format_number) -> str:
    """Return the nominal value with its ends behind it, each by ``form``.

    >>> format_range(Range(1.0, 1.25, 1.5)), format_range(Range(2, 2, 2))
    ('1.25 (1 to 1.5)', '2')
    """
    ends = format_ends(cases, form)
    return f"{form(cases.nominal)} ({ends})" if ends else form(cases.nominal)
