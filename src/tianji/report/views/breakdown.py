"""Where a step goes, predicted or measured: its exclusive terms as a chart and as a table; and differences of terms."""

from __future__ import annotations

from collections.abc import Mapping

from tianji.formatting import format_duration, format_percent
from tianji.report.charts import BarChart, ChartBar, ChartSwing
from tianji.report.view import Cell, Number, ViewColumn, ViewTable
from tianji.report.views.cells import share_of, time_of
from tianji.report.vocabulary import KINDS

COMPUTING = ("matmul", "attention", "vector", "recompute", "optimizer")
"""Kinds of a breakdown in which the chip computes."""
CLASSES = ("computing", "waiting for links", "waiting otherwise")
"""What a chip does in a term, in the order of their colours: it must not hang on which term is the longest."""


def breakdown_chart(breakdown: Mapping[str, float], title: str) -> BarChart:
    """Return the exclusive seconds of a step by kind, longest first, coloured by what the chip does in them."""
    step = sum(breakdown.values())
    bars = tuple(
        ChartBar(KINDS.get(kind, kind), ((_class(kind), s),), f"{format_duration(s)}, {format_percent(s / step)}")
        for kind, s in _terms(breakdown)
    )
    drawn = {bar.parts[0][0] for bar in bars}
    return BarChart("breakdown", title, "time of a step, s", bars, legend=tuple(c for c in CLASSES if c in drawn))


def breakdown_table(breakdown: Mapping[str, float], total: str = "step") -> ViewTable:
    """Return the same as a table; the last row is their sum."""
    step = sum(breakdown.values())
    rows: list[tuple[Cell, ...]] = [
        (KINDS.get(kind, kind), time_of(s), share_of(s / step)) for kind, s in _terms(breakdown)
    ]
    rows.append((total, time_of(step), share_of(1.0)))
    columns = (ViewColumn("term"), ViewColumn("time", "s"), ViewColumn("share", "1"))
    return ViewTable("breakdown", "", columns, tuple(rows), has_total=True, bar=1)


def _terms(breakdown: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(((kind, s) for kind, s in breakdown.items() if s), key=lambda pair: -pair[1])


def _class(kind: str) -> str:
    if kind in COMPUTING:
        return CLASSES[0]
    return CLASSES[1] if kind.endswith("_comm") or kind == "offload" else CLASSES[2]


def difference_of(seconds: float) -> Number:
    """Return a difference of time with its sign.

    >>> difference_of(-0.5).text
    '-500 ms'
    """
    sign = "+" if seconds > 0 else "-" if seconds < 0 else ""
    return Number(seconds, sign + format_duration(abs(seconds)))


def swing_of(label: str, value: float, text: str) -> ChartSwing:
    """Return a bar from zero to a value below or above it."""
    return ChartSwing(label, value, 0.0, text, "") if value < 0 else ChartSwing(label, 0.0, value, "", text)
