"""Two results side by side, term by term."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from tianji.parallel.strategy import FIELDS, Strategy
from tianji.report.wording import KINDS, duration, plain_table, size
from tianji.result import Result

SMALLEST = 0.001
"""Last digit of a share in a table."""
NEGLIGIBLE = 1e-4
"""Share of a step below which a term is left out of a table."""


def subtract(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Return one minus the other, for every key of either.

    >>> subtract({"a": 3.0}, {"a": 1.0, "b": 2.0})
    {'a': 2.0, 'b': -2.0}
    """
    keys = [*one, *(k for k in other if k not in one)]
    return {key: one.get(key, 0.0) - other.get(key, 0.0) for key in keys}


def difference_table(result: Result, best: Result, name: str) -> Table:
    """Return the table that sets a result against the best one: every term, and memory at the end."""
    table = plain_table("Term by term")
    for column in ("term", "best", name, "difference", ""):
        table.add_column(column, justify="left" if column == "term" else "right", no_wrap=True)
    lost = subtract(result.breakdown, best.breakdown)
    step = best.step_time.nominal
    for kind, seconds in sorted(lost.items(), key=lambda pair: -abs(pair[1])):
        mine, theirs = result.breakdown.get(kind, 0.0), best.breakdown.get(kind, 0.0)
        if max(mine, theirs) > NEGLIGIBLE * step:
            table.add_row(
                KINDS.get(kind, kind), duration(theirs), duration(mine), signed(seconds), share_of(seconds / step)
            )
    table.add_section()
    mine, theirs = result.step_time.nominal, best.step_time.nominal
    table.add_row(
        "step", duration(theirs), duration(mine), signed(mine - theirs), share_of(mine / theirs - 1), style="bold"
    )
    table.add_row("memory of the fullest chip", size(best.memory_total), size(result.memory_total),
                  f"{'+' if result.memory_total >= best.memory_total else '-'}"
                  f"{size(abs(result.memory_total - best.memory_total))}",
                  share_of(result.memory_total / best.memory_total - 1))  # fmt: skip
    return table


def signed(seconds: float) -> str:
    """Return a difference of time with its sign; nothing where there is none."""
    return "·" if not seconds else ("+" if seconds > 0 else "-") + duration(abs(seconds))


def share_of(ratio: float) -> str:
    """Return a relative difference with its sign; a dot where a tenth of a percent shows nothing.

    >>> share_of(0.074), share_of(-0.0001)
    ('+7.4%', '·')
    """
    return "·" if abs(ratio) < SMALLEST / 2 else f"{ratio:+.1%}"


def describe_changes(one: Strategy, other: Strategy) -> str:
    """Return what turns one strategy into the other, in words.

    >>> describe_changes(Strategy(tp=8), Strategy(tp=4, dp=2))
    'tp 8 → 4, dp 1 → 2'
    """
    found = []
    for name in FIELDS:
        mine, theirs = getattr(one, name), getattr(other, name)
        if mine != theirs and not (name == "placement" and max(one.pp, other.pp) == 1):
            found.append(f"{name} {_word(mine)} → {_word(theirs)}")
    return ", ".join(found) or "nothing"


def _word(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
