"""Values as people type them: a text with a unit, or a number in the unit that the documentation names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from tianji.errors import FormatError, UnknownNameError
from tianji.formatting import format_percent
from tianji.units import DAY, Dollars, Seconds, parse, parse_count, show

Count: TypeAlias = int | str
"""A whole number, or a text like ``"4k"``."""
Quantity: TypeAlias = float | str
"""A number in SI units, or a text with a unit like ``"30 min"``."""
Batches: TypeAlias = Count | list[Count] | tuple[Count, ...]
"""Sequences of a step; of several the first is what the answer is about, the others stand beside it."""
MOST_BATCHES = 12
_GROUPED, _LEAST_LISTED, _MOST_GROUPED = re.compile(r"\d{1,3}(,\d{3})+$"), 64, 100_000
"""A number with commas between thousands, the least figure that may be a batch of a list as well, and the largest number that
is rather one batch than a list."""
MOST_MARGIN = 0.5
"""The largest share of the usable memory that a plan may be asked to leave free."""
LONGEST: Seconds = 10_000_000 * DAY
"""Some 27,000 years: of a longer time, sums over failures have no digit left."""
Pairs: TypeAlias = Mapping[str, Quantity] | str | Iterable[str]
"""Figures by the names of chips or pools: a mapping, or texts like ``"h800=2"``."""


def read_count(value: Count | None, option: str, default: int = 0) -> int:
    """Return a whole number of at least 1, or ``default`` where nothing was given."""
    return default if value is None else parse_count(value, option)


def read_batches(value: Batches | None) -> tuple[Count | None, tuple[int, ...]]:
    """Return the first batch and, where there are several, all of them.

    >>> read_batches("1024,2048"), read_batches("512,768"), read_batches("1,024"), read_batches([512, "1k"])
    ((1024, (1024, 2048)), (512, (512, 768)), ('1,024', ()), (512, (512, 1000)))

    Raises FormatError for what is no count, too many of them, or a text that may be a number or a list.
    """
    if isinstance(value, str):
        if _GROUPED.match(value.strip()):
            parts = value.split(",")
            may_be_list = all(int(part) >= _LEAST_LISTED and not part.startswith("0") for part in parts)
            if may_be_list and int(value.replace(",", "")) <= _MOST_GROUPED:
                raise FormatError(
                    f"--batch: {value} may be one number or a list; write {value.replace(',', '')}, or"
                    f" '{', '.join(parts)}' with blanks"
                )
            if not may_be_list:
                return value, ()
        words: list[Count] = [part.strip() for part in value.split(",")]
    elif value is None or isinstance(value, int):
        return value, ()
    else:
        words = list(value)
    if len(words) == 1:
        return words[0], ()
    batches = tuple(dict.fromkeys(parse_count(word, "--batch") for word in words))
    if not 1 <= len(batches) <= MOST_BATCHES:
        raise FormatError(f"--batch: expected 1 to {MOST_BATCHES} batches, got {len(batches)}")
    return batches[0], batches


def read_quantity(value: Quantity, dimension: str, option: str) -> float:
    """Return the SI value of a text with a unit; a number is in SI units already.

    >>> read_quantity("30 min", "time", "--interval"), read_quantity(90, "time", "--interval")
    (1800.0, 90.0)

    Raises FormatError for what is neither.
    """
    is_text = isinstance(value, (str, bool)) or not isinstance(value, (int, float)) or not math.isfinite(value)
    figure = parse(value if isinstance(value, bool) else str(value), dimension, option) if is_text else float(value)
    if dimension == "time" and figure > LONGEST:
        raise FormatError(f"{option}: expected a time of at most {show(LONGEST, 'time')}, got {value!r}")
    return figure


def read_margin(margin: Quantity | None) -> float:
    """Return the share of the usable memory that a plan leaves free; MARGIN where nothing was given.

    >>> read_margin("5 %"), read_margin(None)
    (0.05, 0.03)

    Raises FormatError for a share above MOST_MARGIN.
    """
    from tianji.search.options import MARGIN  # commands without a search do without

    reserve = MARGIN if margin is None else parse(margin, "ratio", "--margin")
    if not 0 <= reserve <= MOST_MARGIN:
        raise FormatError(
            f"--margin: expected a share of the usable memory up to {format_percent(MOST_MARGIN, 0)}, got {margin}"
        )
    return reserve


def read_optional(value: Quantity | None, dimension: str, option: str) -> float | None:
    """Return what :func:`read_quantity` does, or None where nothing was given."""
    return None if value is None else read_quantity(value, dimension, option)


def read_duration(value: Quantity, option: str) -> Seconds:
    """Return a time above zero.

    Raises FormatError for any other.
    """
    seconds = read_quantity(value, "time", option)
    if seconds <= 0:
        raise FormatError(f"{option}: expected a time above zero, got {value}")
    return seconds


def read_days(value: Quantity) -> float:
    """Return a number of days; a text may have the unit of another time.

    >>> read_days("60"), read_days("1 years"), read_days(7)
    (60.0, 365.25, 7.0)

    Raises FormatError for what is no time above zero.
    """
    try:
        days = float(value)
    except ValueError:
        days = parse(value, "time", "--days") / DAY
    if not 0 < days < 10**5:
        raise FormatError(f"--days: expected a number of days above 0 and below 100,000, got {value}")
    return days


def read_money(value: Quantity, option: str) -> Dollars:
    """Return dollars; the currency may be left out, and ``k``, ``M`` and ``B`` stand for zeros.

    >>> read_money("1.5", "--rent"), read_money("2 USD", "--rent"), read_money("5.6M", "--budget"), read_money(2, "--rent")
    (1.5, 2.0, 5600000.0, 2.0)

    Raises FormatError for what is no amount above zero.
    """
    text = str(value)
    amount = text.strip().removesuffix("USD")
    is_bare = re.fullmatch(r"[-+]?\d[\d_,]*\.?\d*(?:[eE][-+]?\d+)?\s*[kKMB]?\s*", amount)
    dollars = parse(amount, "count", option) if is_bare else parse(text, "money", option)
    if dollars <= 0:
        raise FormatError(f"{option}: expected an amount above zero, got {text!r}")
    return dollars


def read_pairs(given: Pairs, option: str, dimension: str) -> dict[str, float]:
    """Return figures by the names of chips or pools, in SI units or dollars.

    >>> read_pairs("h800=2", "--rent", "money"), read_pairs({"h800": "1.3 kW"}, "--power", "power")
    ({'h800': 2.0}, {'h800': 1300.0})

    Raises FormatError for what is no such pair, UnknownNameError for a name that nobody knows.
    """
    from tianji.catalog import list_chips, list_pools

    figures: dict[str, float] = {}
    known = {*list_chips(), *list_pools()}
    for name, value in _split_pairs(given, option, dimension):
        if name not in known:
            example = "h800=2" if dimension == "money" else "h800=1.3kW"
            raise UnknownNameError("chip or pool", name, known, f"{option} takes a name and a figure, like {example}.")
        is_money = dimension == "money"
        figures[name] = read_money(value, option) if is_money else read_quantity(value, dimension, option)
        if figures[name] <= 0:
            raise FormatError(f"{option}: expected a figure above zero, got {f'{name}={value}'!r}")
    return figures


def _split_pairs(given: Pairs, option: str, dimension: str) -> list[tuple[str, Any]]:
    if isinstance(given, Mapping):
        return list(given.items())
    pairs = []
    for text in [given] if isinstance(given, str) else given:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            example = "h800=2" if dimension == "money" else "h800=1.3kW"
            raise FormatError(
                f"{option}: expected the name of a chip or a pool and a figure, like {example}, got {text!r}"
            )
        pairs.append((name, value))
    return pairs
