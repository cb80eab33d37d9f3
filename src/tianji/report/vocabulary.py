"""The words of an answer: what each kind of time, loss, store and way is called, and how a change is described."""

from __future__ import annotations

from collections.abc import Iterable

from tianji.formatting import format_duration, format_percent
from tianji.parallel.strategy import DEALT, FIELDS, Strategy

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
    "offload": "copies to and from the host, exposed",
    "waiting": "waiting for slower chips",
    "overhead": "launches and step overhead",
}
"""What each kind of a breakdown is called."""
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
"""What each kind of lost time is called."""
STORES = {"local": "own host's memory", "peer": "another node's memory", "storage": "storage"}
"""Where checkpoints lie, in words."""
WAYS = {
    "batches": "side by side, uneven batches",
    "stages": "in one pipeline, uneven layers",
    "alone": "the best part alone",
}
"""What each way to use unlike chips is called."""
SMALLEST = 0.0005
"""Relative difference from which on a tenth of a percent shows it."""


def list_savings(savings: Iterable[tuple[str, float]]) -> str:
    """Return kinds of time with what a plan saves of each.

    >>> list_savings([("bubble", 0.5)])
    'pipeline bubble 500 ms'
    """
    return ", ".join(f"{KINDS[kind]} {format_duration(seconds)}" for kind, seconds in savings)


def explain_gain(gain: float, savings: Iterable[tuple[str, float]], is_doubtful: bool) -> str:
    """Return, to follow the gain over a published run, where it comes from and whether it is in question."""
    saved = list_savings(savings)
    why = f", saved mostly in {saved}" if saved and gain > 0 else ""
    return f"{why}: more than tuned runs leave; measure it before you count on it" if is_doubtful else why


def percent_of(value: float | None) -> str:
    """Return a share as a percentage, nothing where it is unknown."""
    return "" if value is None else format_percent(value)


def signed_percent_of(value: float | None) -> str:
    """Return a change as a percentage with its sign, nothing where it is unknown.

    >>> signed_percent_of(0.031)
    '+3.1 %'
    """
    return "" if value is None else f"{value * 100:+.1f} %"


def describe_error(error: float) -> str:
    """Return an error of a predicted time in words: which way it is off.

    >>> describe_error(0.062), describe_error(-0.04), describe_error(0.0)
    ('6.2 % too slow', '4.0 % too fast', 'what was measured')
    """
    if abs(error) < 0.0005:
        return "what was measured"
    return f"{format_percent(abs(error))} too {'slow' if error > 0 else 'fast'}"


def describe_difference(ratio: float) -> str:
    """Return a relative difference with its sign; a dot where a tenth of a percent shows nothing.

    >>> describe_difference(0.074), describe_difference(-0.0001)
    ('+7.4 %', '·')
    """
    return "·" if abs(ratio) < SMALLEST else signed_percent_of(ratio)


def describe_changes(one: Strategy, other: Strategy) -> str:
    """Return what turns one strategy into the other, in words.

    >>> describe_changes(Strategy(tp=8), Strategy(tp=4, dp=2))
    'tp 8 → 4, dp 1 → 2'
    >>> describe_changes(Strategy(pp=2), Strategy(pp=2, stages="3,5"))
    'stages dealt → Et*3|t*5L'
    """
    changes = []
    for name in FIELDS:
        before, after = getattr(one, name), getattr(other, name)
        if before != after and not (name == "placement" and max(one.pp, other.pp) == 1):
            changes.append(f"{name} {_word(name, before)} → {_word(name, after)}")
    return ", ".join(changes) or "nothing"


def _word(name: str, value: object) -> str:
    if value == "":
        return DEALT if name == "stages" else "not named"
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
