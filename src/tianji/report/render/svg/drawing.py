"""Charts as SVG elements: a wide drawing for a screen or paper, a narrow one for a phone, so that text keeps its size."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from xml.etree.ElementTree import Element

from tianji.report.charts import (
    BarChart,
    Chart,
    ChartBar,
    ChartPoint,
    CurveChart,
    ScatterChart,
    SwingChart,
    describe_chart,
)
from tianji.report.render.markup import extend, tag
from tianji.report.render.svg.canvas import (
    COLOURS,
    LETTER,
    Scale,
    chart_style,
    format_tick,
    keep_inside,
    shorten,
    text_width,
)
from tianji.report.render.svg.curves import draw_curves, make_marker
from tianji.report.render.svg.scatter import draw_scatter

WIDE, NARROW = 620, 340
TIGHT = 480
"""Below this width a label stands above its bar, not beside it."""
LINE = 17
BAR = 14
GAP = 6
"""Between a bar or a line and a text."""


def draw_chart(chart: Chart, width: int = WIDE, *, alone: bool = False) -> Element:
    """Return the ``svg`` element of a chart; ``alone`` makes it a document of its own, style sheet and ground included."""
    body, height = _draw(chart, width)
    name = f"{chart.name}-{width}"
    root = tag(
        "svg", viewBox=f"0 0 {width} {height:.0f}", width=str(width), height=f"{height:.0f}", class_="chart", role="img",
        aria_labelledby=f"{name}-title {name}-desc",
    )  # fmt: skip
    if alone:
        root.set("xmlns", "http://www.w3.org/2000/svg")
        extend(root, tag("style", chart_style()), tag("rect", class_="ground", width="100%", height="100%"))
    words = tag("title", chart.title, id=f"{name}-title"), tag("desc", describe_chart(chart), id=f"{name}-desc")
    return extend(root, *words, *body)


def _draw(chart: Chart, width: int) -> tuple[list[Element], float]:
    head = list(_title(chart, width))
    top = 8.0 + LINE * len(head)
    legend, top = draw_legend(_legend(chart), width, top, isinstance(chart, (CurveChart, ScatterChart)))
    body, bottom = _draw_body(chart, width, top + 4)
    note = textwrap.wrap(chart.note, int(width / LETTER))
    lines = [tag("text", line, class_="soft", x=0.0, y=bottom + 14 + LINE * i) for i, line in enumerate(note)]
    return [*head, *legend, *body, *lines], bottom + 6 + LINE * len(note)


def _draw_body(chart: Chart, width: int, top: float) -> tuple[list[Element], float]:
    if isinstance(chart, BarChart):
        return draw_bars(chart, width, top)
    if isinstance(chart, SwingChart):
        return draw_swings(chart, width, top)
    return draw_curves(chart, width, top) if isinstance(chart, CurveChart) else draw_scatter(chart, width, top)


def _title(chart: Chart, width: int) -> Iterator[Element]:
    for i, line in enumerate(textwrap.wrap(chart.title, int(width / 7.4))):
        yield tag("text", line, class_="title", x=0.0, y=14.0 + LINE * i)


def _legend(chart: Chart) -> dict[str, int]:
    """Return names with the places of their colours."""
    if isinstance(chart, SwingChart):
        return dict(zip(chart.legend, chart.colours, strict=True))
    if isinstance(chart, (CurveChart, ScatterChart)):
        return {s.label: place for place, s in enumerate(chart.series)} if len(chart.series) > 1 else {}
    return {name: place for place, name in enumerate(chart.names)} if chart.needs_legend else {}


def draw_legend(names: Mapping[str, int], width: int, top: float, has_shapes: bool) -> tuple[list[Element], float]:
    """Return a swatch, or the marker of a series, with each name, in as many lines as they need, and where they end."""
    elements: list[Element] = []
    x, y = 0.0, top + 4
    for name, i in names.items():
        wide = 16 + text_width([name]) + 14
        if x and x + wide > width:
            x, y = 0.0, y + LINE
        colour = i % len(COLOURS)
        swatch = tag("rect", class_=f"f{colour}", x=x, y=y, width=11, height=11, rx=2)
        elements.append(
            make_marker(x + 6, y + 6, ChartPoint(0.0, 0.0, name, stands_out=True), i, colour) if has_shapes else swatch
        )
        elements.append(tag("text", shorten(name, width - 20), class_="soft", x=x + 16, y=y + 10))
        x += wide
    return elements, y + LINE if names else top


def draw_bars(chart: BarChart, width: int, top: float) -> tuple[list[Element], float]:
    """Return horizontal bars with their whiskers, texts and the axis, and where they end."""
    texts = [bar.text for bar in chart.bars]
    left, row = _label_column([bar.label for bar in chart.bars], width)
    is_tight = width < TIGHT
    is_stacked = is_tight and any(text_width([bar.label]) + text_width([bar.text]) + 14 > width for bar in chart.bars)
    row += LINE if is_stacked else 0
    right = width - 12 if is_tight else width - min(text_width(texts) + 10, width * 0.4)
    ends = [end for bar in chart.bars for end in (bar.total, bar.high or 0.0)]
    scale = Scale(0.0, max([*ends, chart.limit[0] if chart.limit else 0.0]) or 1.0, left, right)
    top += LINE if chart.limit else 0
    bottom = top + row * len(chart.bars) + 4
    elements = list(_axis(scale, top, bottom, chart.axis, width))
    for i, bar in enumerate(chart.bars):
        y = top + row * i + (row - BAR)
        beside = bar.text if is_tight and not is_stacked else ""
        elements += _label(bar.label, left, y - (LINE if is_stacked else 0), f"{bar.label}: {bar.text}", width, beside)
        elements += _stack(bar, scale, y, chart.names)
        if is_stacked:
            elements.append(tag("text", bar.text, class_="soft", x=0.0, y=y - 5))
        elif not is_tight:
            start = scale.at(max(bar.total, bar.high or 0.0)) + GAP
            limit = scale.at(chart.limit[0]) if chart.limit else None
            elements.append(tag("text", bar.text, x=_clear_of(limit, start, text_width([bar.text])), y=y + 11))
    if chart.limit:
        elements += _line(scale.at(chart.limit[0]), top - 2, bottom, chart.limit[1], width)
    return elements, bottom + 40


def _clear_of(line: float | None, start: float, width: float) -> float:
    """Return where a text may start so that no upright line goes through it or touches it.

    >>> _clear_of(100.0, 90.0, 30.0), _clear_of(100.0, 20.0, 30.0), _clear_of(None, 90.0, 30.0)
    (106.0, 20.0, 90.0)
    """
    return start if line is None or not start - GAP < line < start + width + GAP else line + GAP


def _stack(bar: ChartBar, scale: Scale, y: float, names: Sequence[str]) -> Iterator[Element]:
    start = 0.0
    for name, length in bar.parts:
        if length <= 0:
            continue
        x, end = scale.at(start), scale.at(start + length)
        title = tag(
            "title", f"{bar.label}, {name}: {bar.text if len(bar.parts) == 1 else format_tick(round(length, 3))}"
        )
        colour = f"f{names.index(name) % len(COLOURS)} edge"
        yield tag("rect", title, class_=colour, x=x, y=y, width=max(end - x, 1.0), height=BAR, rx=1)
        start += length
    if bar.low is not None and bar.high is not None and bar.high > bar.low:
        a, b, middle = scale.at(bar.low), scale.at(bar.high), y + BAR / 2
        path = f"M{a:.1f} {middle}H{b:.1f}M{a:.1f} {middle - 4}V{middle + 4}M{b:.1f} {middle - 4}V{middle + 4}"
        yield tag("path", class_="whisker", d=path)


def draw_swings(chart: SwingChart, width: int, top: float) -> tuple[list[Element], float]:
    """Return the bars of a tornado around its base, and where they end."""
    left, row = _label_column([s.label for s in chart.swings], width)
    values = (
        [v for s in chart.swings for v in (s.low, s.high)] + [chart.base[0]] + ([chart.mark[0]] if chart.mark else [])
    )
    low, high = min(values), max(values)
    edge = text_width([t for s in chart.swings for t in (s.low_text, s.high_text)]) + 12
    scale = Scale(low, high if high > low else low + 1.0, left + edge, width - edge)
    top += LINE if chart.mark else 0
    bottom = top + row * len(chart.swings) + 4
    elements = list(_axis(scale, top, bottom, chart.axis, width))
    base = scale.at(chart.base[0])
    words: list[Element] = []
    for i, s in enumerate(chart.swings):
        y = top + row * i + (row - BAR)
        elements += _label(s.label, left, y, s.label, width)
        ends = sorted(((s.low, s.low_text, 0), (s.high, s.high_text, 1)), key=lambda end: end[0])
        for is_right, (value, text, place) in enumerate(ends):
            if not text:
                continue
            x = scale.at(value)
            start, wide = min(x, base), max(abs(x - base), 1.0)
            title, colour = tag("title", f"{s.label}, {text}: {value:.3g}"), f"f{chart.colours[place]} edge"
            elements.append(tag("rect", title, class_=colour, x=start, y=y, width=wide, height=BAR, rx=1))
            # One text to each side, so that they cannot meet where both ends lie on one side of the base.
            at = max(x, base) + 5 if is_right else min(x, base) - 5
            words.append(tag("text", text, class_="halo", x=at, y=y + 11, text_anchor="start" if is_right else "end"))
    elements.append(tag("path", class_="axis", d=f"M{base:.1f} {top - 2}V{bottom}"))
    if chart.mark:
        elements += _line(scale.at(chart.mark[0]), top - 2, bottom, chart.mark[1], width)
    # Above the lines: a mark through a number would make another number of it.
    return [*elements, *words], bottom + 40


def _label_column(labels: Sequence[str], width: int) -> tuple[float, float]:
    if width < TIGHT:
        return 2.0, 38.0
    return min(text_width(labels) + 12, width * 0.4), 24.0


def _label(label: str, left: float, y: float, title: str, width: int, text: str = "") -> Iterator[Element]:
    """Return the label of a bar, beside it or, where there is no room, above it with the bar's text."""
    if width >= TIGHT:
        yield tag("text", shorten(label, left - 8), tag("title", title), text_anchor="end", x=left - 8, y=y + 11)
        return
    room = width - text_width([text]) - 10 if text else width
    beside = tag("tspan", text, class_="soft", dx=8) if text else None
    yield tag("text", shorten(label, room), beside, tag("title", title), x=0.0, y=y - 5)


def _axis(scale: Scale, top: float, bottom: float, words: str, width: int) -> Iterator[Element]:
    for tick in scale.ticks(6 if scale.end - scale.start > 260 else 4):
        x = scale.at(tick)
        yield tag("path", class_="grid", d=f"M{x:.1f} {top - 2}V{bottom}")
        text = format_tick(tick)
        yield tag("text", text, class_="soft", x=keep_inside(x, text, width), y=bottom + 15, text_anchor="middle")
    yield tag("path", class_="axis", d=f"M{scale.start:.1f} {bottom}H{scale.end:.1f}")
    yield tag("text", words, class_="soft", x=(scale.start + scale.end) / 2, y=bottom + 32, text_anchor="middle")


def _line(x: float, top: float, bottom: float, words: str, width: int) -> Iterator[Element]:
    yield tag("path", class_="mark", d=f"M{x:.1f} {top}V{bottom}")
    yield tag("text", words, class_="halo", x=keep_inside(x, words, width), y=top - 5, text_anchor="middle")
