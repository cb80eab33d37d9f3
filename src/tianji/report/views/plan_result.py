"""One plan in a view: the highlights, where a step goes, and the memory stage by stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from tianji.formatting import count_noun, format_bytes, format_duration, format_percent
from tianji.parallel.layouts import abbreviate_layout
from tianji.parallel.strategy import Strategy
from tianji.report.charts import BarChart, ChartBar
from tianji.report.documents.goodput_summary import GoodputSummaryDocument
from tianji.report.documents.plan_result import FullPlanResultDocument, PlanResultDocument
from tianji.report.view import Cell, Highlight, ViewColumn, ViewSection, ViewTable
from tianji.report.views.breakdown import breakdown_chart, breakdown_table
from tianji.report.views.cells import days_of, ranged, share_of, size_of
from tianji.result.result import RISKY
from tianji.units import GB, show

MOST_BARS = 14
"""Stages of a chart; a pipeline of more unlike ones shows so many, evenly chosen."""
MOST_STAGES = 12
"""Rows of the memory table on a terminal."""


def shorten_layout(strategy: Mapping[str, Any]) -> str:
    """Return the strategy of a document in as few words as a table has room for."""
    return abbreviate_layout(Strategy(**strategy))


def plan_lead(plan: PlanResultDocument, chips: int) -> Iterator[str]:
    """Yield the sentences about a plan on a pool of ``chips`` that stand before its numbers."""
    batches = count_noun(plan["num_microbatches"], "micro-batch", "micro-batches")
    yield f"{shorten_layout(plan['strategy'])} on {plan['chips']:,} chips, {batches} a step."
    if chips > plan["chips"]:
        yield f"{chips - plan['chips']:,} of {chips:,} chips stand idle."
    if not plan["fits"]:
        yield describe_misfit(plan)
    elif plan["misfit_chance"] >= RISKY:
        left = 1.0 - plan["memory_total_bytes"] / plan["memory_limit_bytes"]
        yield (
            f"It fits with {format_percent(left)} of the memory left: at risk, the chance that it does not fit is"
            f" {format_percent(plan['misfit_chance'], 0)}."
        )
    yield from goodput_lead(plan["goodput_summary"])


def describe_misfit(plan: PlanResultDocument) -> str:
    """Return by how much a plan does not fit."""
    limit = plan["memory_limit_bytes"]
    over = plan["memory_total_bytes"] - limit
    if over <= 0 and plan["host_limit_bytes"]:
        host = plan["host_limit_bytes"]
        more = format_bytes(sum(plan["host_memory_bytes"].values()) - host)
        return (
            f"It does not fit: {more} more host memory for each chip than the {format_bytes(host)} of its usual host."
        )
    return f"It does not fit: {format_bytes(over)} more than the usable {format_bytes(limit)} of a chip."


def goodput_lead(summary: GoodputSummaryDocument) -> Iterator[str]:
    """Yield the sentences about a run under failures that stand before its numbers."""
    if summary["goodput"] is None:
        yield f"The goodput is not known: {summary['reason']}"
    elif summary["loss"] == "replica":
        yield f"Under failures: {summary['loss_in_words']}."


def highlights(plan: PlanResultDocument, peak_dtype: str) -> tuple[Highlight, ...]:
    """Return the numbers that most readers came for."""
    speed, step = plan["tokens_per_s"], plan["step_time_range_s"]
    rates = {"low": speed * step["nominal"] / step["high"], "high": speed * step["nominal"] / step["low"]}
    tokens = ranged({"nominal": speed, "low": rates["low"], "high": rates["high"]}, lambda rate: f"{rate:,.0f}")
    each = f"{plan['tokens_per_s_per_chip']:,.0f} for each of {plan['chips']:,} chips"
    share = plan["memory_total_bytes"] / plan["memory_limit_bytes"]
    used = f"{format_percent(share)} of the usable {format_bytes(plan['memory_limit_bytes'])}"
    basis = f"80 % range, {plan['leans_on']}" if plan["leans_on"] else "a lower bound"
    summary = plan["goodput_summary"]
    return (
        Highlight("step time", ranged(step, format_duration), basis),
        Highlight("tokens/s", tokens, each),
        Highlight("MFU", share_of(plan["mfu"]), f"of the dense {peak_dtype} peak"),
        Highlight("memory of the fullest chip", ranged(plan["memory_total_range_bytes"], format_bytes), used),
        *host_highlights(plan),
        *goodput_highlights(summary),
        *((Highlight("days without failures", days_of(plan["days_range"])),) if plan["days_range"] else ()),
        *days_highlights(summary),
    )


def host_highlights(plan: PlanResultDocument) -> Iterator[Highlight]:
    """Yield what a chip takes of its host's memory, where something is offloaded."""
    if total := sum(plan["host_memory_bytes"].values()):
        limit = plan["host_limit_bytes"]
        share = (
            f"{format_percent(total / limit)} of {format_bytes(limit)} a chip"
            if limit
            else "its host's size is not published"
        )
        yield Highlight("host memory for it", size_of(total), share)


def goodput_highlights(summary: GoodputSummaryDocument) -> Iterator[Highlight]:
    """Yield the goodput, if it is known."""
    if summary["goodput"] is not None:
        between = show(summary["mean_time_between_failures_s"] or 0.0, "time")
        useful = f"a failure in {between}; {summary['useful_tokens_per_s']:,.0f} useful tokens/s"
        yield Highlight("goodput", ranged(summary["goodput"], format_percent), useful)


def days_highlights(summary: GoodputSummaryDocument) -> Iterator[Highlight]:
    """Yield the days of the run with its failures, if they are known."""
    if summary["days_range"] is not None:
        yield Highlight("days with failures", days_of(summary["days_range"]))


# --- time -----------------------------------------------------------------------------------------------------
def step_section(plan: PlanResultDocument, title: str) -> ViewSection:
    """Return where a step goes, drawn and in numbers."""
    breakdown = plan["breakdown_s"]
    return ViewSection(title, (breakdown_chart(breakdown, title), breakdown_table(breakdown)))


# --- memory ---------------------------------------------------------------------------------------------------
def memory_section(plan: FullPlanResultDocument, whose: str = "") -> ViewSection:
    """Return the memory of a chip of each stage, drawn and in numbers."""
    return ViewSection(f"Memory of one chip{whose}", (memory_chart(plan), memory_table(plan)))


def memory_chart(plan: FullPlanResultDocument) -> BarChart:
    """Return the memory of a chip of each stage, part by part, against what is usable; of a long pipeline some stages."""
    runs = stage_runs(plan)
    totals = [sum(parts.values()) for _, parts in runs]
    places = set(range(len(runs)))
    if len(runs) > MOST_BARS:
        places = {round(i * (len(runs) - 1) / (MOST_BARS - 1)) for i in range(MOST_BARS)}
    shown = sorted({*places, totals.index(max(totals))})
    bars = [
        ChartBar(
            runs[i][0], tuple((name, value / GB) for name, value in runs[i][1].items()), f"{totals[i] / GB:.1f} GB"
        )
        for i in shown
    ]
    limit = plan["memory_limit_bytes"] / GB
    note = ""
    if len(shown) < len(runs):
        note = f"{len(shown)} of {len(runs)} unlike stages, the fullest among them; the table has all."
    title = "Memory of one chip, by pipeline stage"
    return BarChart("memory", title, "GB", tuple(bars), (limit, f"usable: {limit:.1f} GB"), note)


def memory_table(plan: FullPlanResultDocument) -> ViewTable:
    """Return each part of each stage's memory; a narrow terminal leaves out the smallest parts."""
    runs = stage_runs(plan)
    peaks = {name: max(parts.get(name, 0.0) for _, parts in runs) for name in plan["memory_bytes"]}
    names = [name for name in peaks if peaks[name]]
    by_size = sorted(names, key=lambda name: -peaks[name])
    columns = (
        ViewColumn("stages"),
        *(ViewColumn(name, "bytes", rank=by_size.index(name) + 1) for name in names),
        ViewColumn("total", "bytes"),
        ViewColumn("left", "bytes"),
    )
    totals = [sum(parts.values()) for _, parts in runs]
    limit = plan["memory_limit_bytes"]
    rows: list[tuple[Cell, ...]] = [
        (label, *(size_of(v) for v in (*(parts.get(name, 0.0) for name in names), total, limit - total)))
        for (label, parts), total in zip(runs, totals, strict=True)
    ]
    return ViewTable(
        "memory", "", columns, tuple(rows), f"Usable of a chip: {format_bytes(limit)}.",
        best=totals.index(max(totals)), bar=len(columns) - 2, bar_limit=limit, most=MOST_STAGES, thinning="even",
    )  # fmt: skip


def stage_runs(plan: FullPlanResultDocument) -> list[tuple[str, Mapping[str, float]]]:
    """Return the stages of a pipeline, neighbours that are alike to a tenth of a GB together."""
    runs: list[tuple[str, Mapping[str, float]]] = []
    stages = enumerate(plan["memory_stages_bytes"])
    for _, items in groupby(stages, key=lambda item: [round(value / GB, 1) for value in item[1].values()]):
        members = list(items)
        first, last = members[0][0], members[-1][0]
        runs.append((f"stage {first}" if first == last else f"stages {first} to {last}", members[0][1]))
    return runs
