"""Charts as pictures of points, by Matplotlib: for slides and documents that take no SVG."""

from __future__ import annotations

import os
import textwrap
from typing import Any

import matplotlib
import matplotlib.patches
import numpy as np
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import NullLocator

from tianji.report.charts import BarChart, Chart, CurveChart, ScatterChart, SwingChart
from tianji.report.render.svg.canvas import COLOURS, GRID, INK, SOFT, format_tick
from tianji.report.render.svg.scatter import axis_ends, axis_ticks

WIDTH = 7.2
"""Inches."""
DPI = 160
MARKERS = "os^D"


def write_picture(chart: Chart, path: str | os.PathLike[str]) -> None:
    """Write a chart as PNG, on white.

    Raises OSError when the file cannot be written.
    """
    with matplotlib.rc_context({"font.size": 9, "axes.edgecolor": INK[0], "text.color": INK[0], "axes.labelcolor": SOFT[0],
                                "xtick.color": SOFT[0], "ytick.color": INK[0], "text.parse_math": False}):  # fmt: skip
        is_square = isinstance(chart, ScatterChart)
        rows = (
            0
            if isinstance(chart, (CurveChart, ScatterChart))
            else len(chart.bars if isinstance(chart, BarChart) else chart.swings)
        )
        canvas = Canvas(
            figsize=(WIDTH, 6.4 if is_square else 4.2 if isinstance(chart, CurveChart) else 1.5 + 0.3 * rows),
            layout="constrained",
        )
        axes = canvas.add_subplot()
        words = "\n".join(textwrap.wrap(chart.title, 84))
        canvas.suptitle(words, x=0.01, ha="left", fontsize=10, fontweight="bold")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.set_axisbelow(True)
        draw: Any = {BarChart: _bars, SwingChart: _swings, CurveChart: _curves, ScatterChart: _scatter}[type(chart)]
        draw(axes, chart)
        if chart.note:
            axes.set_xlabel("\n".join([axes.get_xlabel(), *textwrap.wrap(chart.note, 84)]))
        canvas.savefig(path, dpi=DPI, facecolor="white", format="png")


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)][0]


def _rows(axes: Any, labels: list[str], words: str) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlabel(words)
    axes.grid(axis="x", color=GRID[0])
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(lambda value, place: format_tick(round(value, 12)))


def _bars(axes: Any, chart: BarChart) -> None:
    names = list(chart.names)
    for row, bar in enumerate(chart.bars):
        start = 0.0
        for name, length in bar.parts:
            if length:
                axes.barh(
                    row, length, 0.6, left=start, color=_colour(names.index(name)), edgecolor="white", linewidth=0.6
                )
            start += length
        end = start
        if bar.low is not None and bar.high is not None and bar.high > bar.low:
            axes.plot([bar.low, bar.high], [row, row], color=INK[0], linewidth=1.2, marker="|", markersize=6)
            end = max(start, bar.high)
        axes.annotate(bar.text, (end, row), xytext=(5, 0), textcoords="offset points", va="center")
    _rows(axes, [bar.label for bar in chart.bars], chart.axis)
    if chart.limit:
        axes.axvline(chart.limit[0], color=INK[0], linestyle="--", linewidth=1.2, label=chart.limit[1])
    if chart.needs_legend or chart.limit:
        handles = [
            matplotlib.patches.Patch(color=_colour(i), label=name) for i, name in enumerate(names) if len(names) > 1
        ]
        lines = axes.get_lines()[-1:] if chart.limit else []
        axes.figure.legend(handles=[*handles, *lines], loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    axes.margins(x=0.22)
    axes.set_xlim(left=0)


def _swings(axes: Any, chart: SwingChart) -> None:
    base = chart.base[0]
    for row, s in enumerate(chart.swings):
        ends = sorted(((s.low, s.low_text, 0), (s.high, s.high_text, 1)), key=lambda end: end[0])
        for is_right, (value, text, place) in enumerate(ends):
            if text:
                axes.barh(row, value - base, 0.6, left=base, color=_colour(chart.colours[place]))
                at, shift = (max(value, base), 4) if is_right else (min(value, base), -4)
                axes.annotate(text, (at, row), xytext=(shift, 0), textcoords="offset points", va="center",
                              ha="left" if is_right else "right")  # fmt: skip
    _rows(axes, [s.label for s in chart.swings], chart.axis)
    axes.axvline(chart.base[0], color=INK[0], linewidth=1.2)
    if chart.mark:
        axes.axvline(chart.mark[0], color=INK[0], linestyle="--", linewidth=1.2, label=chart.mark[1])
        axes.legend(loc="lower right", fontsize=8)
    axes.margins(x=0.22)


def _curves(axes: Any, chart: CurveChart) -> None:
    for place, series in enumerate(chart.series):
        points = series.points
        xs, ys = [p.x for p in points], [p.y for p in points]
        style = ("--" if place % 2 else "-") if series.is_line else ""
        step = series.marked_every
        axes.plot(
            xs, ys, style, color=_colour(place), marker=MARKERS[place % len(MARKERS)], markersize=4, label=series.label,
            markevery=(-(place * step // 2) % step, step), linewidth=1.6 if step == 1 else 1.2,
        )  # fmt: skip
        ranged = [p for p in points if p.low is not None and p.high is not None]
        if series.is_line and len(ranged) > 1:
            ends: list[Any] = [[p.low for p in ranged], [p.high for p in ranged]]
            axes.fill_between([p.x for p in ranged], *ends, color=_colour(place), alpha=0.16, linewidth=0)
        elif not series.is_line:
            axes.vlines([p.x for p in ranged], [p.low for p in ranged], [p.high for p in ranged], color=INK[0])
    if chart.level:
        axes.axhline(chart.level[0], color=INK[0], linestyle="--", linewidth=1.2)
        axes.annotate(chart.level[1], (0, chart.level[0]), xycoords=("axes fraction", "data"), xytext=(4, 3),
                      textcoords="offset points", fontsize=8)  # fmt: skip
    for place, x, words in chart.marks:
        axes.axvline(x, color=_colour(place), linestyle=":", linewidth=1.4)
        axes.annotate(words, (x, 1), xycoords=("data", "axes fraction"), xytext=(-3, -4), textcoords="offset points", rotation=90,
                      ha="right", va="top", fontsize=8)  # fmt: skip
    if chart.is_log:
        axes.set_xscale("log", base=2)
    elif chart.from_zero:
        axes.set_xlim(left=0)
    if chart.from_zero:
        axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(lambda value, place: format_tick(round(value, 12)))
    axes.yaxis.set_major_formatter(lambda value, place: format_tick(round(value, 12)))
    axes.set_xlabel(chart.x_axis)
    axes.set_ylabel(chart.y_axis)
    axes.grid(color=GRID[0])
    if len(chart.series) > 1:
        axes.legend(fontsize=8)


def _scatter(axes: Any, chart: ScatterChart) -> None:
    for place, series in enumerate(chart.series):
        inside = [p for p in series.points if p.x > 0 and p.y > 0]
        axes.plot([p.x for p in inside], [p.y for p in inside], color=_colour(place), linestyle="", alpha=0.7,
                  marker=MARKERS[place % len(MARKERS)], markersize=4, label=series.label)  # fmt: skip
    ends = np.array(axis_ends(chart))
    axes.plot(ends, ends, color=INK[0], linewidth=1)
    axes.fill_between(ends, ends * (1 - chart.band), ends * (1 + chart.band), color=SOFT[0], alpha=0.16, linewidth=0)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal", xlabel=chart.x_axis, ylabel=chart.y_axis)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(axis_ticks(*ends))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(lambda value, place: format_tick(round(value, 12)))
    axes.grid(color=GRID[0])
    if len(chart.series) > 1:
        axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
