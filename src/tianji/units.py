"""Units: SI numbers inside, text with a unit at the door.

Every signature in the project says its unit with one of the aliases below. Files, the command line and the web
say ``"400 Gbit/s"``, ``"80 GB"``, ``"3 us"``; :func:`parse` is the one place that reads them and :func:`show`
the one place that writes them.
"""

from __future__ import annotations

import math
import re
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tianji.errors import FormatError

Array: TypeAlias = NDArray[Any]
"""An array of any number; formulas broadcast over it."""

Seconds: TypeAlias = float
Bytes: TypeAlias = float
BytesPerSecond: TypeAlias = float
Flops: TypeAlias = float
FlopsPerSecond: TypeAlias = float
Watts: TypeAlias = float
Dollars: TypeAlias = float
SquareMetres: TypeAlias = float

KB, MB, GB, TB, PB = 1e3, 1e6, 1e9, 1e12, 1e15
KIB, MIB, GIB, TIB = 2.0**10, 2.0**20, 2.0**30, 2.0**40
NS, US, MS, HOUR, DAY = 1e-9, 1e-6, 1e-3, 3600.0, 86400.0
KILO, MEGA, GIGA, TERA, PETA, EXA = 1e3, 1e6, 1e9, 1e12, 1e15, 1e18

_PREFIX = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_BINARY = {"Ki": KIB, "Mi": MIB, "Gi": GIB, "Ti": TIB}


def _scaled(unit: str, base: float, binary: bool = False) -> dict[str, float]:
    table = {p + unit: base * f for p, f in _PREFIX.items()}
    if binary:
        table |= {p + unit: base * f for p, f in _BINARY.items()}
    return table


DIMENSIONS: dict[str, dict[str, float]] = {
    "bytes": _scaled("B", 1.0, binary=True),
    "bandwidth": _scaled("B/s", 1.0, binary=True) | _scaled("bit/s", 0.125) | _scaled("bps", 0.125),
    "time": {"ns": 1e-9, "us": US, "ms": MS, "s": 1.0, "min": 60.0, "h": HOUR}
    | {"d": DAY, "days": DAY, "years": 365.25 * DAY},
    "rate": _scaled("FLOP/s", 1.0) | _scaled("FLOPS", 1.0) | _scaled("OP/s", 1.0),
    "power": _scaled("W", 1.0),
    "energy": _scaled("Wh", HOUR) | _scaled("J", 1.0),
    "money": {"USD": 1.0},
    "area": {"m2": 1.0},
    "count": {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12},
    "ratio": {"": 1.0, "%": 0.01},
}
"""For each dimension the units that text may carry, as factors to SI (money stays in dollars)."""

_NUMBER = re.compile(r"\s*([-+]?(?:(?:\d{1,3}(?:,\d{3})+|\d[\d_]*)(?![,\d])\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S*)\s*")
"""A comma parts thousands only: ``"1,5"`` may mean one and a half, so it is refused rather than read as 15."""


def parse(text: object, dimension: str, where: str = "value") -> float:
    """Return the SI value of a text such as ``"400 Gbit/s"``.

    A bare number is refused unless the dimension is a count or a ratio: a figure without a unit is a guess.

    >>> parse("400 Gbit/s", "bandwidth")
    50000000000.0
    >>> parse("15T", "count")
    15000000000000.0

    Raises FormatError when the text has no number, no unit, or a unit of another dimension.
    """
    units = DIMENSIONS[dimension]
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise FormatError(f"{where}: expected {_example(dimension)}, got {text!r}")
    match = _NUMBER.fullmatch(str(text))
    if match is None:
        raise FormatError(f"{where}: expected {_example(dimension)}, got {text!r}")
    number, unit = float(match[1].replace(",", "").replace("_", "")), match[2]
    if unit not in units:
        known = ", ".join(u for u in units if u) or "a plain number"
        problem = f"has the unit {unit!r}" if unit else "has no unit"
        raise FormatError(f"{where}: {text!r} {problem}; expected {_example(dimension)} (known units: {known})")
    value = number * units[unit]
    if not math.isfinite(value):
        raise FormatError(f"{where}: {text!r} is not a finite figure; expected {_example(dimension)}")
    return value


def parse_count(text: object, where: str = "value") -> int:
    """Return a whole positive count such as ``8192``, ``"15T"`` or ``"4k"``.

    >>> parse_count("4k")
    4000
    """
    value = parse(text, "count", where)
    if value != int(value) or value < 1:
        raise FormatError(f"{where}: expected a whole number of at least 1, got {text!r}")
    return int(value)


def _example(dimension: str) -> str:
    return {
        "bytes": 'a size with a unit, like "80 GB"',
        "bandwidth": 'a bandwidth with a unit, like "400 Gbit/s" or "50 GB/s"',
        "time": 'a time with a unit, like "3 us"',
        "rate": 'a rate with a unit, like "989 TFLOP/s"',
        "power": 'a power with a unit, like "700 W"',
        "energy": 'an energy with a unit, like "21 MWh"',
        "money": 'a price with a currency, like "25000 USD"',
        "area": 'an area with a unit, like "1000 m2"',
        "count": 'a count, like "4096" or "15T"',
        "ratio": 'a ratio, like "0.7" or "70 %"',
    }[dimension]


_SHOWN = {
    "bytes": [(TB, "TB"), (GB, "GB"), (MB, "MB"), (KB, "kB"), (1.0, "B")],
    "bandwidth": [(TB, "TB/s"), (GB, "GB/s"), (MB, "MB/s"), (1.0, "B/s")],
    "time": [(DAY, "days"), (HOUR, "h"), (60.0, "min"), (1.0, "s"), (MS, "ms"), (US, "us"), (1e-9, "ns")],
    "rate": [(EXA, "EFLOP/s"), (PETA, "PFLOP/s"), (TERA, "TFLOP/s"), (1e9, "GFLOP/s"), (1.0, "FLOP/s")],
    "power": [(1e6, "MW"), (1e3, "kW"), (1.0, "W")],
    "money": [(1e6, "M USD"), (1.0, "USD")],
    "count": [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1.0, "")],
    "area": [(1.0, "m2")],
    "ratio": [(1.0, "")],
}


def format_number(value: float, digits: int = 3, *, keep_zeros: bool = False) -> str:
    """Return a number with so many significant digits, thousands apart; whole numbers keep all of theirs.

    Only numbers below 0.0001 have an exponent. ``keep_zeros`` leaves the zeros at the end, for columns.

    >>> format_number(0.04567), format_number(999.7), format_number(12345.6)
    ('0.0457', '1,000', '12,346')
    """
    if not np.isfinite(value) or not value:
        return f"{value:g}"
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    if exponent < -4:
        return f"{value:.{digits}g}"
    text = f"{value:,.{max(digits - 1 - exponent, 0)}f}"
    return text if keep_zeros or "." not in text else text.rstrip("0").rstrip(".")


def show(value: float, dimension: str, digits: int = 3) -> str:
    """Return a figure as people read it, in the largest unit that keeps it at 1 or above.

    >>> show(5e10, "bandwidth")
    '50 GB/s'
    """
    scale, unit = next((s for s in _SHOWN[dimension] if abs(value) >= s[0]), _SHOWN[dimension][-1])
    return f"{format_number(value / scale, digits)} {unit}".rstrip()
