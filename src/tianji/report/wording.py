"""How tables say things: numbers short enough to read, bars, and the words for the terms of a step."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.table import Table
from rich.text import Text

from tianji.formatting import format_bytes as size
from tianji.formatting import format_count as count
from tianji.formatting import format_duration as duration
from tianji.formatting import format_number
from tianji.ranges import Range
from tianji.units import MS

__all__ = ["count", "duration", "size"]

KINDS = {
    "matmul": "matrix multiplications",
    "attention": "attention",
    "vector": "vector ops (norms, activations)",
    "recompute": "recomputation",
    "tp_comm": "tensor-parallel links, exposed",
    "cp_comm": "context-parallel links, exposed",
    "ep_comm": "expert dispatch, exposed",
    "pp_comm": "pipeline sends, exposed",
    "dp_comm": "data-parallel links, exposed",
    "bubble": "pipeline bubble",
    "optimizer": "optimizer",
    "waiting": "waiting for slower chips",
    "overhead": "launches and step overhead",
}
"""What each kind of a breakdown is called in a table."""
LOSSES = {
    "checkpointing": "saving checkpoints",
    "lost_work": "work done again after a failure",
    "detection": "until a failure is noticed",
    "restart": "restart and loading",
    "waiting_for_spares": "waiting for a repaired node",
    "missing_replicas": "missing replicas",
    "silent_corruption": "silent corruption",
    "stragglers": "slow chips and links",
}
"""What each kind of lost time is called in a table."""
STORES = {"local": "own host's memory", "peer": "another node's memory", "storage": "storage"}
"""Where checkpoints lie, in words."""
WAYS = {
    "batches": "side by side, uneven batches",
    "stages": "in one pipeline, uneven layers",
    "alone": "the best part alone",
}
"""What each way to use unlike chips is called."""

_FULL, _PARTS = "█", " ▏▎▍▌▋▊▉"


def bar(share: float, width: int) -> str:
    """Return a bar that fills a share of a width.

    >>> bar(0.5, 4)
    '██'
    """
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    whole, rest = divmod(eighths, 8)
    return (_FULL * whole + _PARTS[rest]).rstrip() if eighths else ""


def span_of(span: Range) -> str:
    """Return a range of times as low to high, empty where low and high are one.

    >>> span_of(Range(3.1, 3.4, 4.2, "measured"))
    '3.10-4.20 s'
    """
    if span.low == span.high:
        return ""
    scale, unit = (1.0, "s") if span.high >= 1 else (MS, "ms")
    low, high = (format_number(end / scale, keep_zeros=True) for end in (span.low, span.high))
    return f"{low}-{high} {unit}"


def list_savings(savings: Iterable[tuple[str, float]]) -> str:
    """Return kinds of time with what a plan saves of each.

    >>> list_savings([("bubble", 0.5)])
    'pipeline bubble 500 ms'
    """
    return ", ".join(f"{KINDS[kind]} {duration(seconds)}" for kind, seconds in savings)


def explain_gain(gain: float, savings: Iterable[tuple[str, float]], is_doubtful: bool) -> str:
    """Return, to follow the gain over a published run, where it comes from and whether it is in question."""
    saved = list_savings(savings)
    why = f", saved mostly in {saved}" if saved and gain > 0 else ""
    return f"{why}: more than tuned runs leave; measure it before you count on it" if is_doubtful else why


def plain_table(title: str, *, expand: bool = False) -> Table:
    """Return an empty table in the house's style."""
    return Table(
        title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, expand=expand,
        show_edge=False, header_style="bold cyan", padding=(0, 1, 0, 0),
    )  # fmt: skip


def labelled(lines: Iterable[tuple[str, str]], style: str = "bold cyan") -> Table:
    """Return lines that each start with a label, the texts hanging in a column of their own."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style=style, no_wrap=True)
    table.add_column()
    for name, text in lines:
        table.add_row(name, Text(text))
    return table
