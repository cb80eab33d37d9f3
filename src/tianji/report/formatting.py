"""How an answer says things: numbers short enough to read, and the words for the terms of a step."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tianji.parallel.strategy import FIELDS, Strategy
from tianji.result import Range
from tianji.units import GB, MS, US, show

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
SMALLEST = 0.001
"""Last digit of a share in a table."""
STORES = {"local": "own host's memory", "peer": "another node's memory", "storage": "storage"}
"""Where checkpoints lie, in words."""
WAYS = {
    "batches": "side by side, uneven batches",
    "stages": "in one pipeline, uneven layers",
    "alone": "the best part alone",
}
"""What each way to use unlike chips is called."""


def duration(seconds: float) -> str:
    """Return a time with three digits, never above seconds: steps compare at a glance.

    >>> duration(131.04), duration(1.9), duration(0.000472)
    ('131 s', '1.90 s', '472 us')
    """
    if not seconds:
        return "0"
    scale, unit = next((s for s in ((1.0, "s"), (MS, "ms"), (US, "us")) if seconds >= s[0]), (US, "us"))
    value = seconds / scale
    digits = max(2 - math.floor(math.log10(value)), 0) if value >= 1 else 2
    return f"{value:,.{digits}f} {unit}"


def size(value: float) -> str:
    """Return a size in GB, so that a column compares at a glance.

    >>> size(136604466576.0)
    '136.6 GB'
    """
    gigabytes = value / GB
    return f"{gigabytes:.1f} GB" if abs(gigabytes) < 10**4 else f"{gigabytes:,.0f} GB"


def count(value: float) -> str:
    """Return a count as people say it.

    >>> count(671026419200), count(15_360)
    ('671B', '15,360')
    """
    return show(value, "count").replace(" ", "") if value >= 10**6 else f"{value:,.0f}"


def span_of(span: Range) -> str:
    """Return a range of times as low to high, empty where low and high are one.

    >>> span_of(Range(3.1, 3.4, 4.2, "measured"))
    '3.10-4.20 s'
    """
    if span.low == span.high:
        return ""
    scale, unit = (1.0, "s") if span.high >= 1 else (MS, "ms")
    low, high = (_three_digits(end / scale) for end in (span.low, span.high))
    return f"{low}-{high} {unit}"


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:#.3g}".rstrip(".")


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


def value_text(value: float) -> str:
    """Return a value with three digits, or whole where it is larger.

    >>> value_text(0.04567), value_text(12345.6)
    ('0.0457', '12,346')
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def percent(value: float | None) -> str:
    """Return a fraction as people read it.

    >>> percent(0.0612), percent(None)
    ('6.1 %', '')
    """
    return "" if value is None else f"{value * 100:.1f} %"


def signed_share(value: float | None) -> str:
    """Return a fraction with its sign.

    >>> signed_share(0.031)
    '+3.1 %'
    """
    return "" if value is None else f"{value * 100:+.1f} %"


def gain_text(ratio: float | None) -> str:
    """Return a gain with its sign.

    >>> gain_text(0.0312)
    '+3.1%'
    """
    return "unknown" if ratio is None else f"{ratio:+.1%}"


def relative(ratio: float) -> str:
    """Return a relative difference with its sign; a dot where a tenth of a percent shows nothing.

    >>> relative(0.074), relative(-0.0001)
    ('+7.4%', '·')
    """
    return "·" if abs(ratio) < SMALLEST / 2 else f"{ratio:+.1%}"


def describe_changes(one: Strategy, other: Strategy) -> str:
    """Return what turns one strategy into the other, in words.

    >>> describe_changes(Strategy(tp=8), Strategy(tp=4, dp=2))
    'tp 8 → 4, dp 1 → 2'
    """
    changes = []
    for name in FIELDS:
        before, after = getattr(one, name), getattr(other, name)
        if before != after and not (name == "placement" and max(one.pp, other.pp) == 1):
            changes.append(f"{name} {_word(before)} → {_word(after)}")
    return ", ".join(changes) or "nothing"


def _word(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
