"""What all drawings share: colours for light and dark ground, scales, ticks, how wide a text is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tianji.units import GIGA, KILO, MEGA, TERA

COLOURS = (
    ("#0b6fb8", "#5ab4f0"),
    ("#cf5a00", "#ff9d57"),
    ("#00805d", "#45c79c"),
    ("#a34d84", "#e59bc9"),
    ("#a87900", "#efc65c"),
    ("#56636f", "#aab6c0"),
    ("#3d8f9e", "#8fe0ee"),
    ("#7d2f45", "#dc8a9e"),
)
"""On light and on dark ground; after Okabe and Ito, of unlike lightness, so that the colour-blind tell them apart."""
INK, SOFT, GRID, GROUND = ("#1b2733", "#e6eaee"), ("#55626f", "#a6b1bb"), ("#dfe4e9", "#333c45"), ("#ffffff", "#14191f")
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
SHAPES = f"""\
.chart text{{font:12px {FONT}}}
.chart .title{{font-weight:600;font-size:13px}}
.chart .line{{fill:none;stroke-width:2}}
.chart .whisker{{fill:none;stroke-width:1.5}}
.chart .grid{{stroke-width:1}}
.chart .band{{fill-opacity:.16}}
.chart .mark{{stroke-dasharray:4 3;stroke-width:1.5;fill:none}}
.chart .halo{{stroke-width:8;paint-order:stroke;stroke-linejoin:round}}
"""
LETTER = 7.0
"""Pixels of a letter at 12 pixels, on average; drawings do not measure text."""


@lru_cache(maxsize=1)
def chart_style() -> str:
    """Return the style sheet of all drawings: light, and dark on a screen whose system is dark."""
    return f"{_rules(0)}{SHAPES}@media screen and (prefers-color-scheme:dark){{{_rules(1)}}}"


def _rules(ground: int) -> str:
    series = "".join(
        f".chart .f{i}{{fill:{c[ground]}}}.chart .s{i}{{stroke:{c[ground]}}}" for i, c in enumerate(COLOURS)
    )
    return (
        f".chart text{{fill:{INK[ground]}}}.chart .soft{{fill:{SOFT[ground]}}}.chart .grid{{stroke:{GRID[ground]}}}"
        f".chart .axis,.chart .whisker,.chart .mark{{stroke:{INK[ground]}}}.chart .edge{{stroke:{GROUND[ground]}}}"
        f".chart .ground{{fill:{GROUND[ground]}}}.chart .halo{{stroke:{GROUND[ground]}}}{series}"
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from ``low`` to ``high`` laid from ``start`` to ``end`` pixels, evenly or by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """Return the pixel of a value; what lies outside stands at the edge."""
        low, high, value = (math.log(v) if self.is_log else v for v in (self.low, self.high, self._inside(value)))
        return self.start + (value - low) / ((high - low) or 1.0) * (self.end - self.start)

    def _inside(self, value: float) -> float:
        return min(max(value, self.low), self.high)

    def ticks(self, most: int) -> list[float]:
        """Return at most so many round values inside."""
        return log_ticks(self.low, self.high, most) if self.is_log else even_ticks(self.low, self.high, most)


def even_ticks(low: float, high: float, most: int) -> list[float]:
    """Return evenly spaced round values from low to high.

    >>> even_ticks(0, 156, 6)
    [0.0, 50.0, 100.0, 150.0]
    """
    step = round_step((high - low) / max(most - 1, 1))
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def round_step(least: float) -> float:
    """Return the smallest of 1, 2, 2.5, 5 times a power of ten that is not below.

    >>> round_step(31.2), round_step(0.2)
    (50.0, 0.2)
    """
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least) + 1e-12)
    return next((n * power for n in (1.0, 2.0, 2.5, 5.0) if n * power >= least * (1 - 1e-9)), 10.0 * power)


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Return powers of two, or of a power of two, from low to high: numbers of chips are such.

    >>> log_ticks(90, 5000, 4)
    [128.0, 512.0, 2048.0]
    """
    first, last = math.ceil(math.log2(low) - 1e-9), math.floor(math.log2(high) + 1e-9)
    step = max(math.ceil((last - first + 1) / max(most, 1)), 1)
    return [2.0**n for n in range(first, last + 1, step)]


def format_tick(value: float) -> str:
    """Return a value as an axis says it.

    >>> format_tick(1500.0), format_tick(2.5e6), format_tick(0.25)
    ('1,500', '2.5M', '0.25')
    """
    for scale, suffix in ((TERA, "T"), (GIGA, "G"), (MEGA, "M")):
        if abs(value) >= scale:
            return f"{value / scale:.4g}{suffix}"
    if abs(value) >= 100_000:
        return f"{value / KILO:.4g}k"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


def text_width(texts: Sequence[str]) -> float:
    """Return the pixels of the longest of these texts, about."""
    return max((len(text) for text in texts), default=0) * LETTER


def keep_inside(x: float, text: str, width: float) -> float:
    """Return where the middle of a text that belongs to x stands: at x, or as near as all of it can be seen.

    >>> keep_inside(300, "1,000", 375), keep_inside(370, "1,000", 375)
    (300, 357.5)
    """
    half = text_width([text]) / 2
    return min(max(x, half), width - half)


def shorten(text: str, pixels: float) -> str:
    """Return a text cut to a width; the whole of it belongs into the title beside it.

    >>> shorten("matrix multiplications", 80)
    'matrix mul…'
    """
    most = max(int(pixels / LETTER), 3)
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
