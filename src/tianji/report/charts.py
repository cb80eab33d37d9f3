"""Charts as data: what is to be seen, without a pixel. They are drawn as SVG and as PNG."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChartBar:
    """One bar of ``parts``, each a name and a length; ``low`` and ``high`` are the ends of its whisker."""

    label: str
    parts: tuple[tuple[str, float], ...]
    text: str
    low: float | None = None
    high: float | None = None

    @property
    def total(self) -> float:
        """Length of the whole bar."""
        return sum(length for _, length in self.parts)


@dataclass(frozen=True, slots=True)
class BarChart:
    """Horizontal bars from zero. ``limit`` is a line across all of them, with what it says."""

    name: str
    title: str
    axis: str
    """What the lengths are, with their unit."""
    bars: tuple[ChartBar, ...]
    limit: tuple[float, str] | None = None
    note: str = ""
    legend: tuple[str, ...] = ()
    """Names of parts in the order of their colours; without it the order in which they come."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all parts, each once, in the order of their colours."""
        drawn = dict.fromkeys(name for bar in self.bars for name, length in bar.parts if length)
        return tuple(dict.fromkeys((*self.legend, *drawn)))

    @property
    def needs_legend(self) -> bool:
        """Colours say something that the labels do not."""
        return len(self.names) > 1 and any(name != bar.label for bar in self.bars for name, _ in bar.parts)


@dataclass(frozen=True, slots=True)
class ChartSwing:
    """One bar of a tornado: where the answer goes when one assumption goes to its low and its high end."""

    label: str
    low: float
    high: float
    low_text: str
    high_text: str


@dataclass(frozen=True, slots=True)
class SwingChart:
    """Bars to both sides of ``base``. ``mark`` is a line that means something when it is crossed."""

    name: str
    title: str
    axis: str
    swings: tuple[ChartSwing, ...]
    base: tuple[float, str]
    mark: tuple[float, str] | None = None
    legend: tuple[str, str] = ("at the low end", "at the high end")
    colours: tuple[int, int] = (0, 1)
    """Of the low and of the high ends."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """One point of a series with what it is in words, and the ends of its range."""

    x: float
    y: float
    text: str
    low: float | None = None
    high: float | None = None
    stands_out: bool = False


MOST_MARKERS = 60
"""Points of a line up to which each has a marker: more would hide the line, its neighbours and its band."""
FEW_MARKERS = 12
"""Markers of a longer line."""


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """Points by rising x. ``is_line`` joins them; a line of many points marks a few, which tell it from the others."""

    label: str
    points: tuple[ChartPoint, ...]
    is_line: bool = True

    @property
    def marked_every(self) -> int:
        """Of how many points one carries a marker; those that stand out carry theirs all the same."""
        return -(-len(self.points) // FEW_MARKERS) if self.is_line and len(self.points) > MOST_MARKERS else 1


@dataclass(frozen=True, slots=True)
class CurveChart:
    """Series over one pair of axes, with ranges as bands; ``marks`` are places on the x axis: series, place, words."""

    name: str
    title: str
    x_axis: str
    y_axis: str
    series: tuple[ChartSeries, ...]
    is_log: bool = False
    """The x axis is logarithmic."""
    from_zero: bool = True
    """Both linear axes start at zero."""
    marks: tuple[tuple[int, float, str], ...] = ()
    level: tuple[float, str] | None = None
    """A height that means something, with what it says."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ScatterChart:
    """Points that should lie on the diagonal, both axes logarithmic; ``band`` is the relative half-width of a band around it."""

    name: str
    title: str
    x_axis: str
    y_axis: str
    series: tuple[ChartSeries, ...]
    band: float
    note: str = ""


Chart = BarChart | SwingChart | CurveChart | ScatterChart


def describe_chart(chart: Chart) -> str:
    """Return a chart in a sentence, for those who cannot see it."""
    if isinstance(chart, (CurveChart, ScatterChart)):
        return f"{chart.y_axis} against {chart.x_axis}: " + "; ".join(
            f"{s.label}, {len(s.points)} points" for s in chart.series
        )
    if isinstance(chart, SwingChart):
        return f"{chart.axis}, {chart.base[1]}: " + "; ".join(
            f"{s.label} {s.low_text} to {s.high_text}" for s in chart.swings
        )
    return f"{chart.axis}: " + "; ".join(f"{bar.label} {bar.text}" for bar in chart.bars)
