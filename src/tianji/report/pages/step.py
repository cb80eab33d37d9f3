"""One result on a page: the tiles, where a step goes, and the memory stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any

from tianji.parallel.layouts import abbreviate_layout
from tianji.parallel.strategy import Strategy
from tianji.report.pages.basis import Document
from tianji.report.pages.charts import Bar, Bars
from tianji.report.pages.parts import Cell, Column, Number, Table
from tianji.report.wording import KINDS, duration, size
from tianji.units import GB

MOST_BARS = 14
"""Stages of a chart; a pipeline of more unlike ones shows so many, evenly chosen."""
COMPUTING = ("matmul", "attention", "vector", "recompute", "optimizer")
"""Kinds of a breakdown in which the chip computes."""


def shorten_layout(strategy: Mapping[str, Any]) -> str:
    """Return the strategy of a document in as few words as a table has room for."""
    return abbreviate_layout(Strategy(**strategy))


def ranged(span: Document, spell: Callable[[float], str]) -> Number:
    """Return the number of a range with keys low, nominal and high."""
    low, nominal, high = span["low"], span["nominal"], span["high"]
    words = "" if low == high else f"{spell(low)} to {spell(high)}"
    return Number(nominal, spell(nominal), low, high, words)


def tiles(plan: Document) -> tuple[tuple[str, Number], ...]:
    """Return the numbers that most readers came for."""
    speed, share = plan["tokens_per_s"], plan["memory_total_bytes"] / plan["memory_limit_bytes"]
    low, high = (plan["step_time_range"][end] / plan["step_time_s"] for end in ("low", "high"))
    span = "" if low == high else f"{speed / high:,.0f} to {speed / low:,.0f}"
    each = f"{plan['tokens_per_s_per_chip']:,.0f} for each chip"
    left = f"{share:.0%} of the usable {size(plan['memory_limit_bytes'])}"
    found = [
        ("step time", ranged(plan["step_time_range"], duration)),
        ("tokens/s", Number(speed, f"{speed:,.0f}", speed / high, speed / low, span or each)),
        ("MFU", Number(plan["mfu"], f"{plan['mfu']:.1%}", span=each if span else "")),
        ("memory of the fullest chip", Number(plan["memory_total_bytes"], size(plan["memory_total_bytes"]), span=left)),
    ]
    found += goodput_tiles(plan["lasting"])
    if plan["days"] is not None:
        days = ranged({"nominal": plan["days"], **plan["days_range"]}, lambda value: f"{value:,.1f}")
        found.append(("days without failures", days))
        found += failing_days_tiles(plan["lasting"])
    return tuple(found)


def goodput_tiles(lasting: Document) -> list[tuple[str, Number]]:
    """Return the goodput, if it is known."""
    if lasting["goodput"] is None:
        return []
    return [("goodput, failures counted", ranged(lasting["goodput"], lambda share: f"{share:.1%}"))]


def failing_days_tiles(lasting: Document) -> list[tuple[str, Number]]:
    """Return the days of a run of so many tokens with its failures, if they are known."""
    if lasting["goodput"] is None:
        return []
    useful = f"{lasting['useful_tokens_per_s']:,.0f} useful tokens/s"
    return [("days with failures", Number(lasting["days"], f"{lasting['days']:,.1f}", span=useful))]


def breakdown_chart(plan: Document, title: str) -> Bars:
    """Return the exclusive terms of a step, longest first, coloured by what the chip does in them."""
    step = plan["step_time_s"]
    terms = sorted(((k, s) for k, s in plan["breakdown"].items() if s), key=lambda pair: -pair[1])
    bars = [Bar(KINDS.get(k, k), ((_class(k), s),), f"{duration(s)}, {s / step:.1%}") for k, s in terms]
    # The order of colours must not hang on which term is the longest.
    order = {name: place for place, name in enumerate(("computing", "waiting for links", "waiting otherwise"))}
    first = sorted(bars, key=lambda bar: order[bar.parts[0][0]])
    legend = tuple(dict.fromkeys(bar.parts[0][0] for bar in first))
    return Bars("breakdown", title, "time of a step, s", tuple(bars), legend=legend)


def _class(kind: str) -> str:
    if kind in COMPUTING:
        return "computing"
    return "waiting for links" if kind.endswith("_comm") else "waiting otherwise"


def breakdown_table(plan: Document) -> Table:
    """Return all terms of a step, longest first; they add up to the step."""
    step = plan["step_time_s"]
    terms = sorted(((k, s) for k, s in plan["breakdown"].items() if s), key=lambda pair: -pair[1])
    rows: list[tuple[Cell, ...]] = [
        (KINDS.get(k, k), Number(s, duration(s)), Number(s / step, f"{s / step:.1%}")) for k, s in terms
    ]
    rows.append(("step", Number(step, duration(step)), Number(1.0, "100.0%")))
    columns = (Column("term"), Column("time", "s"), Column("share", "1"))
    return Table("breakdown", "Where a step goes: exclusive terms", columns, tuple(rows), best=len(rows) - 1)


def memory_chart(plan: Document) -> Bars:
    """Return the memory of a chip of each stage, part by part, against what is usable; of a long pipeline some stages."""
    runs = stage_runs(plan)
    totals = [sum(parts.values()) for _, parts in runs]
    places = (
        {round(i * (len(runs) - 1) / (MOST_BARS - 1)) for i in range(MOST_BARS)}
        if len(runs) > MOST_BARS
        else {*range(len(runs))}
    )
    shown = sorted({*places, totals.index(max(totals))})
    bars = [
        Bar(runs[i][0], tuple((name, value / GB) for name, value in runs[i][1].items()), f"{totals[i] / GB:.1f} GB")
        for i in shown
    ]
    limit = plan["memory_limit_bytes"] / GB
    note = (
        f"{len(shown)} of {len(runs)} unlike stages, the fullest among them; the table has all."
        if len(shown) < len(runs)
        else ""
    )
    title = "Memory of one chip, by pipeline stage"
    return Bars("memory", title, "GB", tuple(bars), (limit, f"usable: {limit:.1f} GB"), note)


def memory_table(plan: Document) -> Table:
    """Return the same as a table."""
    names = [name for name in plan["memory"] if any(stage.get(name) for stage in plan["memory_stages"])]
    columns = (
        Column("stages"),
        *(Column(name, "bytes") for name in names),
        Column("total", "bytes"),
        Column("left", "bytes"),
    )
    rows: list[tuple[Cell, ...]] = []
    for label, parts in stage_runs(plan):
        total = sum(parts.values())
        left = plan["memory_limit_bytes"] - total
        cells = [parts.get(name, 0.0) for name in names]
        rows.append((label, *(Number(v, size(v)) for v in (*cells, total, left))))
    return Table("memory", "Memory of one chip, by pipeline stage", columns, tuple(rows))


def stage_runs(plan: Document) -> list[tuple[str, Mapping[str, float]]]:
    """Return the stages of a pipeline, neighbours that are alike to a tenth of a GB together."""
    found = []
    for _, items in groupby(
        enumerate(plan["memory_stages"]), key=lambda item: [round(v / GB, 1) for v in item[1].values()]
    ):
        members = list(items)
        first, last = members[0][0], members[-1][0]
        found.append((f"stage {first}" if first == last else f"stages {first} to {last}", members[0][1]))
    return found
