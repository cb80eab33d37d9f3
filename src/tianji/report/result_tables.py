"""Tables of one result: where the time goes, and the memory stage by stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tianji.parallel.layouts import abbreviate_layout
from tianji.reliability import Reliability
from tianji.report.headline import describe_range
from tianji.report.lasting import lasting_lines
from tianji.report.wording import KINDS, bar, labelled, plain_table, size
from tianji.result import Result
from tianji.units import GB

BAR = (20, 60)
"""Columns of the longest bar: at least, at most."""
TEXT = 60
"""Columns that a breakdown needs beside its bars."""
MOST_ROWS = 12
"""Rows of the memory table; a longer pipeline shows its ends, its fullest stage and the rest together."""
OTHER = "other"
"""Column of the parts that have none of their own."""
SHORT = {
    "gradients": "grads",
    "optimizer": "optim",
    "activations": "activ",
    "communicators": "comms",
    "framework": "frame",
}
"""Column heads where a part's name is too long for one."""


def print_result(console: Console, result: Result, reliability: Reliability | None = None) -> None:
    """Print a prediction in full."""
    console.print(summary(result, reliability))
    console.print()
    console.print(breakdown_table(result, console.width))
    console.print()
    console.print(memory_table(result, console.width))


def summary(result: Result, reliability: Reliability | None = None) -> RenderableType:
    """Return the few numbers that most readers came for."""
    rows = [
        ("layout", abbreviate_layout(result.plan.strategy)),
        ("step", describe_range(result.step_time)),
        ("speed", f"{result.tokens_per_s:,.0f} tokens/s, {result.tokens_per_s_per_chip:,.0f} for each of "
                  f"{result.plan.strategy.chips:,} chips"),
        ("MFU", f"{result.mfu:.1%} of the dense {result.plan.job.precision.linear} peak"),
    ]  # fmt: skip
    if result.days is not None:
        step = result.step_time
        low, high = result.days * step.low / step.nominal, result.days * step.high / step.nominal
        ends = f" ({low:,.1f} to {high:,.1f})" if low != high else ""
        rows.append(("run", f"{result.days:,.1f} days{ends} without failures"))
    rows += lasting_lines(result, reliability)
    if result.plan.idle_chips:
        rows.append(("idle", f"{result.plan.idle_chips:,} of {result.plan.pool.chips:,} chips"))
    if not result.fits:
        over = result.memory_total - result.memory_limit
        rows.append(("memory", f"does not fit: {size(over)} over the usable {size(result.memory_limit)}"))
    return labelled(rows)


def breakdown_table(result: Result, width: int, title: str = "Where a step goes") -> Table:
    """Return all terms of a step, longest first; they add up to the step."""
    longest_bar = min(max(width - TEXT, BAR[0]), BAR[1])
    table = plain_table(title)
    table.add_column("term")
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=longest_bar)
    step = result.step_time.nominal
    shown = sorted(((k, s) for k, s in result.breakdown.items() if s), key=lambda pair: -pair[1])
    longest = shown[0][1] if shown else 1.0
    for kind, seconds in shown:
        style = "green" if kind in ("matmul", "attention", "vector") else "yellow"
        drawn = Text(bar(seconds / longest, longest_bar), style=style)
        table.add_row(KINDS.get(kind, kind), f"{seconds:,.6f}", f"{seconds / step:.1%}", drawn)
    table.add_section()
    table.add_row("step", f"{step:,.6f}", "100.0%", "", style="bold")
    return table


def memory_table(result: Result, width: int) -> RenderableType:
    """Return the memory of a chip of each stage, part by part, with the limit and what is left."""
    names, bar_width = _columns(result, (width - 33) // 9), 12
    rows = _rows(result)
    shown, stages = sum(last - first + 1 for (first, last), _, _ in rows), len(result.stages)
    table = plain_table(f"Memory of one chip, stage by stage, in GB (usable: {result.memory_limit / GB:.1f})")
    table.add_column("stage", no_wrap=True)
    for name in (*names, "total", "left"):
        table.add_column(SHORT.get(name, name), justify="right", no_wrap=True)
    table.add_column("used", no_wrap=True, min_width=bar_width)
    for place, parts, is_worst in rows:
        total = sum(parts.values())
        others = total - sum(parts.get(name, 0.0) for name in names)
        cells = [f"{(others if name == OTHER else parts.get(name, 0.0)) / GB:.1f}" for name in names]
        left = result.memory_limit - total
        color = "red" if left < 0 else "green"
        drawn = Text(bar(total / result.memory_limit, bar_width), style=color)
        table.add_row(_label(*place), *cells, f"{total / GB:.1f}", Text(f"{left / GB:.1f}", style=color), drawn,
                      style="bold" if is_worst else "")  # fmt: skip
    small = [n for n in result.memory if n not in names and any(p.get(n) for p in result.stages)]
    notes = [f"other: {', '.join(small)}"] if OTHER in names else []
    notes += [f"shown: {shown} of {stages} stages"] if shown < stages else []
    return Group(table, *(Text(note, style="dim") for note in notes)) if notes else table


def _columns(result: Result, most: int) -> list[str]:
    """Return the parts that deserve a column, at most so many, and ``other`` where some do not."""
    peaks = {name: max(parts.get(name, 0.0) for parts in result.stages) for name in result.memory}
    used = [name for name, value in peaks.items() if value]
    if len(used) <= most:
        return used
    largest = sorted(used, key=lambda name: -peaks[name])[: most - 1]
    return [*(name for name in used if name in largest), OTHER]


def _rows(result: Result) -> list[tuple[tuple[int, int], Mapping[str, float], bool]]:
    """Return first and last stage, parts and whether it is the fullest, for each stage or run of like stages."""
    runs: list[tuple[int, int, Mapping[str, float]]] = []
    for _, items in groupby(enumerate(result.stages), key=lambda item: _rounded(item[1])):
        members = list(items)
        runs.append((members[0][0], members[-1][0], members[0][1]))
    worst = result.worst_stage
    if len(runs) > MOST_ROWS:
        keep = {0, 1, len(runs) - 2, len(runs) - 1, *_evenly(len(runs), MOST_ROWS - 5)}
        keep |= {i for i, (first, last, _) in enumerate(runs) if first <= worst <= last}
        runs = [runs[i] for i in sorted(keep)]
    return [((first, last), parts, first <= worst <= last) for first, last, parts in runs]


def _rounded(parts: Mapping[str, float]) -> Sequence[float]:
    return [round(value / GB, 1) for value in parts.values()]


def _evenly(length: int, wanted: int) -> set[int]:
    return {round(i * (length - 1) / (wanted - 1)) for i in range(wanted)}


def _label(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
