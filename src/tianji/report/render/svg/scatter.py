"""Predicted against measured as SVG elements: points around a diagonal on logarithmic axes."""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element

from tianji.report.charts import ScatterChart
from tianji.report.render.markup import tag
from tianji.report.render.svg.canvas import COLOURS, Scale, format_tick, keep_inside, text_width
from tianji.report.render.svg.curves import make_marker

MOST_FINE = 100.0
"""Ratio of an axis's ends up to which every round number has a line."""


def draw_scatter(chart: ScatterChart, width: int, top: float) -> tuple[list[Element], float]:
    """Return the axes, the band, the diagonal and the points, and where they end."""
    low, high = axis_ends(chart)
    ticks = axis_ticks(low, high)
    left = text_width([format_tick(tick) for tick in ticks]) + 10
    top += 20
    side = min(width - 26 - left, 440.0)
    bottom, right = top + side, left + side
    x_scale, y_scale = Scale(low, high, left, right, is_log=True), Scale(low, high, bottom, top, is_log=True)
    elements = [tag("text", chart.y_axis, class_="soft", x=0.0, y=top - 10)]
    for tick in ticks:
        x, y = x_scale.at(tick), y_scale.at(tick)
        elements.append(tag("path", class_="grid", d=f"M{x:.1f} {top}V{bottom}M{left:.1f} {y:.1f}H{right:.1f}"))
        text = format_tick(tick)
        middle = keep_inside(x, text, width)
        elements.append(tag("text", text, class_="soft", x=middle, y=bottom + 16, text_anchor="middle"))
        elements.append(tag("text", format_tick(tick), class_="soft", x=left - 6, y=y + 4, text_anchor="end"))
    edge = [(low, low * (1 + chart.band)), (high / (1 + chart.band), high), (high, high), (high, high * (1 - chart.band)),
            (low / (1 - chart.band), low), (low, low)]  # fmt: skip
    points = " ".join(f"{x_scale.at(x):.1f},{y_scale.at(y):.1f}" for x, y in edge)
    elements.append(tag("polygon", class_="band f5", points=points))
    elements.append(tag("path", class_="axis", d=f"M{left:.1f} {bottom}L{right:.1f} {top}"))
    for place, series in enumerate(chart.series):
        inside = [p for p in series.points if p.x > 0 and p.y > 0]
        elements += [make_marker(x_scale.at(p.x), y_scale.at(p.y), p, place, place % len(COLOURS)) for p in inside]
    elements.append(tag("text", chart.x_axis, class_="soft", x=(left + right) / 2, y=bottom + 34, text_anchor="middle"))
    return elements, bottom + 40


def axis_ends(chart: ScatterChart) -> tuple[float, float]:
    """Return the nearest round numbers (1, 2 or 5 and zeros) around all points."""
    values = [v for series in chart.series for p in series.points for v in (p.x, p.y) if v > 0] or [1.0]
    low = max(tick for tick in _round_numbers(min(values)) if tick <= min(values))
    return low, min(tick for tick in _round_numbers(max(values)) if tick > max(low, *values))


def axis_ticks(low: float, high: float) -> list[float]:
    """Return the round numbers from one end to the other; over more than two decades the powers of ten and both ends.

    >>> axis_ticks(5.0, 50.0), axis_ticks(0.5, 200.0)
    ([5.0, 10.0, 20.0, 50.0], [0.5, 1.0, 10.0, 100.0, 200.0])
    """
    every = [tick for tick in _round_numbers(low, high) if low <= tick <= high]
    if high / low <= MOST_FINE:
        return every
    return [tick for tick in every if tick in (low, high) or f"{tick:e}".startswith("1.0")]


def _round_numbers(low: float, high: float | None = None) -> list[float]:
    first, last = math.floor(math.log10(low)) - 1, math.ceil(math.log10(high or low)) + 1
    return [float(f"{digit}e{power}") for power in range(first, last + 1) for digit in (1, 2, 5)]
