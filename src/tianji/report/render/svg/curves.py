"""Series over two axes as SVG elements: lines with bands, points with whiskers, marked places."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from tianji.report.charts import ChartPoint, ChartSeries, CurveChart
from tianji.report.render.markup import tag
from tianji.report.render.svg.canvas import COLOURS, Scale, format_tick, keep_inside, text_width

HEIGHT = 250.0
NARROW_HEIGHT = 220.0
SIZE = 3.6
"""Half of a marker's size."""


def draw_curves(chart: CurveChart, width: int, top: float) -> tuple[list[Element], float]:
    """Return the axes, the bands, the lines, the points and the marks, and where they end."""
    across, up = span_of_axes(chart)
    height = HEIGHT if width > 400 else NARROW_HEIGHT
    top += 20
    bottom = top + height
    y_scale = Scale(*up, bottom, top)
    left = text_width([format_tick(t) for t in y_scale.ticks(6)]) + 10
    x_scale = Scale(*across, left, width - 14.0, is_log=chart.is_log)
    elements = [tag("text", chart.y_axis, class_="soft", x=0.0, y=top - 10)]
    for tick in y_scale.ticks(6):
        y = y_scale.at(tick)
        elements.append(tag("path", class_="grid", d=f"M{left:.1f} {y:.1f}H{width - 14}"))
        elements.append(tag("text", format_tick(tick), class_="soft", x=left - 6, y=y + 4, text_anchor="end"))
    for tick in x_scale.ticks(8 if width > 400 else 5):
        x = x_scale.at(tick)
        elements.append(tag("path", class_="grid", d=f"M{x:.1f} {top}V{bottom}"))
        text = format_tick(tick)
        middle = keep_inside(x, text, width)
        elements.append(tag("text", text, class_="soft", x=middle, y=bottom + 16, text_anchor="middle"))
    elements.append(tag("path", class_="axis", d=f"M{left:.1f} {bottom}H{width - 14}"))
    elements.append(tag("text", chart.x_axis, class_="soft", x=(left + width) / 2, y=bottom + 34, text_anchor="middle"))
    for i, series in enumerate(chart.series):
        elements += _series(series, i, x_scale, y_scale)
    if chart.level:
        y = y_scale.at(chart.level[0])
        elements.append(tag("path", class_="mark", d=f"M{left:.1f} {y:.1f}H{width - 14}"))
        elements.append(tag("text", chart.level[1], class_="halo", x=left + 6, y=y - 6))
    for i, (place, x, words) in enumerate(chart.marks):
        elements += _mark(x_scale.at(x), top, bottom, place, words, i)
    return elements, bottom + 40


def span_of_axes(chart: CurveChart) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return low and high of the x axis and of the y axis, ranges and marks inside."""
    points = [p for series in chart.series for p in series.points]
    xs = [p.x for p in points] + [x for _, x, _ in chart.marks]
    ys = [v for p in points for v in (p.y, p.low, p.high) if v is not None]
    ys += [chart.level[0]] if chart.level else []
    return _padded(xs, chart.from_zero, chart.is_log), _padded(ys, chart.from_zero, False)


def _padded(values: list[float], from_zero: bool, is_log: bool) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    if is_log:
        return low / 1.05, high * 1.05
    room = (high - low or abs(high) or 1.0) * 0.06
    return (0.0 if from_zero else low - room), high + room


def _series(series: ChartSeries, place: int, x_scale: Scale, y_scale: Scale) -> Iterator[Element]:
    colour = place % len(COLOURS)
    at = [(x_scale.at(p.x), y_scale.at(p.y), p) for p in series.points]
    ranged = [(x, p) for x, _, p in at if p.low is not None and p.high is not None]
    if series.is_line and len(ranged) > 1:
        over = [f"{x:.1f},{y_scale.at(p.high or 0.0):.1f}" for x, p in ranged]
        under = [f"{x:.1f},{y_scale.at(p.low or 0.0):.1f}" for x, p in reversed(ranged)]
        yield tag("polygon", class_=f"band f{colour}", points=" ".join([*over, *under]))
    elif not series.is_line:
        for x, p in ranged:
            a, b = y_scale.at(p.low or 0.0), y_scale.at(p.high or 0.0)
            yield tag(
                "path", class_="whisker", d=f"M{x:.1f} {a:.1f}V{b:.1f}M{x - 3:.1f} {a:.1f}h6M{x - 3:.1f} {b:.1f}h6"
            )
    if series.is_line and at:
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in at)
        yield tag("path", class_=f"line s{colour}", d=path, stroke_dasharray="7 3" if place % 2 else None)
    step = series.marked_every
    for i, (x, y, p) in enumerate(at):
        if p.stands_out or (i + place * step // 2) % step == 0:
            yield make_marker(x, y, p, place, colour)


def make_marker(x: float, y: float, point: ChartPoint, place: int, colour: int) -> Element:
    """Return a point; its shape tells series apart where colours do not."""
    r = SIZE * (1.7 if point.stands_out else 1.0)
    shapes = (
        f"M{x - r:.1f} {y:.1f}a{r:.1f} {r:.1f} 0 1 0 {2 * r:.1f} 0a{r:.1f} {r:.1f} 0 1 0 {-2 * r:.1f} 0z",
        f"M{x - r:.1f} {y - r:.1f}h{2 * r:.1f}v{2 * r:.1f}h{-2 * r:.1f}z",
        f"M{x:.1f} {y - 1.3 * r:.1f}L{x + 1.2 * r:.1f} {y + r:.1f}H{x - 1.2 * r:.1f}z",
        f"M{x:.1f} {y - 1.4 * r:.1f}L{x + 1.4 * r:.1f} {y:.1f}L{x:.1f} {y + 1.4 * r:.1f}L{x - 1.4 * r:.1f} {y:.1f}z",
    )
    shape = shapes[place % len(shapes)]
    return tag("path", tag("title", point.text), class_=f"f{colour} edge", d=shape)


def _mark(x: float, top: float, bottom: float, place: int, words: str, row: int) -> Iterator[Element]:
    colour = place % len(COLOURS)
    yield tag("path", class_=f"mark s{colour}", d=f"M{x:.1f} {top}V{bottom}")
    to_left = x - 8 > text_width([words])
    y = top + 14 + 17 * row
    at, anchor = (x - 5, "end") if to_left else (x + 5, None)
    yield tag("text", words, class_="halo", x=at, y=y, text_anchor=anchor)
