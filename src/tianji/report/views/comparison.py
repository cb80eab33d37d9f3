"""The pages of pool against pool, made from their JSON documents: compare, replace and size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tianji.formatting import format_count, format_number
from tianji.report.charts import ChartPoint, ChartSeries, ChartSwing, CurveChart, SwingChart
from tianji.report.view import Highlight, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.assessment import (
    assessment_sections,
    measure_bars,
    measure_table,
)
from tianji.report.views.basis import Document
from tianji.report.views.cells import ranged
from tianji.units import DAY


def comparison_page(document: Document) -> View:
    """Return the page of ``comparison_document``."""
    pools, ratios = document["pools"], document["ratios"]
    title = f"{document['model']['name']}: " + " against ".join(pool["name"] for pool in pools)
    sections = (
        ViewSection("Side by side", (*measure_bars(pools), measure_table(pools, ratios))),
        *assessment_sections(document, pools),
    )
    return View(
        title,
        (*document["verdicts"], *_caveats(pools)),
        tuple(Highlight(*tile) for tile in _ratio_tiles(pools, ratios)),
        sections,
    )


def _ratio_tiles(pools: Sequence[Document], ratios: Document) -> Iterator[tuple[str, Number]]:
    wanted = {"useful_tokens_per_day": "useful tokens a day", "cost": "cost of a useful token", "power": "power, busy"}
    for place, pool in enumerate(pools[1:], 1):
        for key, words in wanted.items():
            if ratios[key][place] is not None:
                yield (
                    f"{words}: {pool['pool']} over the first",
                    ranged(ratios[key][place], lambda ratio: f"{ratio:.2f} ×"),
                )


def replacement_page(document: Document) -> View:
    """Return the page of ``replacement_document``."""
    first, other, chips = document["first"], document["other"], document["chips"]
    pools = (first, other)
    ends = (f"{chips[end]:,.0f}" if chips[end] is not None else "beyond those tried" for end in ("low", "high"))
    span = "" if chips["low"] == chips["high"] else " to ".join(ends)
    needed = Number(chips["nominal"], f"{chips['nominal']:,.0f}", chips["low"], chips["high"], span)
    each = first["chips"] / chips["nominal"]
    units = Number(document["units"], f"{document['units']:,}", span=f"of {other['unit_chips']:,} chips")
    tiles = [
        (f"chips of {other['pool']}", needed),
        ("units to buy", units),
        (f"{first['pool']} chips that one replaces", Number(each, f"{each:.2f}", span=f"match: {document['match']}")),
    ]
    sections = (
        ViewSection(
            "How many, and what would flip the answer", (_two_curves(document), *_tornado(document["sensitivity"]))
        ),
        ViewSection("The curves in numbers", tuple(_curve_tables(list(document["curves"].values())))),
        ViewSection("Side by side", (*measure_bars(pools), measure_table(pools))),
        *assessment_sections(document, pools),
    )
    title = f"{document['model']['name']}: how many {other['pool']} replace {first['name']}"
    return View(
        title,
        (document["answer"], *_caveats(pools), *document["verdicts"]),
        tuple(Highlight(*tile) for tile in tiles),
        sections,
    )


def sizing_page(document: Document) -> View:
    """Return the page of ``sizing_document``."""
    best, job = document["best"], document["job"]
    found = f"{document['chips']:,} chips of {best['pool']}"
    again = f"{document['chips_cautious']:,} chips" if document["chips_cautious"] else "no number of chips"
    lead = [f"{found} are in time; to be in time in the slow case too it takes {again}."]
    if not document["is_met"]:
        lead = ["It cannot be done as asked. What binds:", *document["binding"], f"The nearest is {found}."]
    lead += _caveats((best,))
    tiles = [
        (
            "chips",
            Number(
                document["chips"],
                f"{document['chips']:,}",
                span=f"{best['units']:,} units of {best['unit_chips']:,}, spares included",
            ),
        )
    ]
    days = best["measures"]["days"]
    tiles.append(("days", ranged(days, lambda value: f"{value:,.1f}")))
    if document["cost_of_run_usd"] is not None:
        budget = document["budget_usd"]
        words = f"budget {format_number(budget)} USD" if budget else "nominally"
        tiles.append(
            (
                "cost of the run, USD",
                Number(document["cost_of_run_usd"], format_number(document["cost_of_run_usd"]), span=words),
            )
        )
    needed = job["tokens"] / (document["days_allowed"] * DAY)
    sections = (
        ViewSection(
            "Useful throughput against chips", (_one_curve(document, needed), *_curve_tables([document["curve"]]))
        ),
        ViewSection("All measures", (measure_table((best,)),)),
        *assessment_sections(document, (best,)),
    )
    asked = f"{format_count(job['tokens'])} tokens in {document['days_allowed']:g} days"
    title = f"{document['model']['name']}: {asked} on {best['pool']}"
    return View(title, tuple(lead), tuple(Highlight(*tile) for tile in tiles), sections)


def _caveats(pools: Sequence[Document]) -> list[str]:
    return [f"{pool['pool']}: {pool[key]}" for pool in pools for key in ("beyond_unit", "idle") if pool[key]]


def _two_curves(document: Document) -> CurveChart:
    first, other = document["first"], document["other"]
    curves = document["curves"]
    series = (_series(curves["first"], first["chips"]), _series(curves["other"], other["chips"]))
    marks = [(place, float(curve["knee"]), "knee") for place, curve in enumerate(curves.values()) if curve["knee"]]
    chosen = document["chips"]["nominal"]
    marks.append((1, chosen, f"{chosen:,.0f} chips"))
    useful = next(p["nominal"] for p in curves["first"]["points"] if p["chips"] == first["chips"])
    return CurveChart(
        "throughput", "Useful tokens/s against chips, each size with its own best strategy", "chips", "useful tokens/s", series,
        is_log=True, marks=tuple(marks), level=(useful, first["name"]), note="Bands: range of the step time and of the goodput.",
    )  # fmt: skip


def _one_curve(document: Document, needed: float) -> CurveChart:
    curve = document["curve"]
    marks = [(0, float(curve["knee"]), "knee")] if curve["knee"] else []
    marks.append((0, float(document["chips"]), f"{document['chips']:,} chips"))
    if document["chips_cautious"]:
        marks.append((0, float(document["chips_cautious"]), f"slow case: {document['chips_cautious']:,}"))
    return CurveChart(
        "throughput", "Useful tokens/s against chips, each size with its own best strategy", "chips", "useful tokens/s",
        (_series(curve, document["chips"]),), is_log=True, marks=tuple(marks),
        level=(needed, f"needed for {document['days_allowed']:g} days"),
        note="Band: range of the step time and of the goodput.",
    )  # fmt: skip


def _series(curve: Document, chosen: int) -> ChartSeries:
    points = [
        ChartPoint(float(p["chips"]), p["nominal"], f"{p['chips']:,} {curve['pool']}: {p['nominal']:,.0f} useful tokens/s "
              f"({p['low']:,.0f} to {p['high']:,.0f})", p["low"], p["high"], stands_out=p["chips"] == chosen)
        for p in curve["points"]
    ]  # fmt: skip
    return ChartSeries(curve["pool"], tuple(points))


def _curve_tables(curves: Sequence[Document]) -> Iterator[ViewTable]:
    for place, curve in enumerate(curves, 1):
        knee = f"the knee is at {curve['knee']:,} chips" if curve["knee"] else "no knee within these sizes"
        columns = (
            ViewColumn("chips"),
            ViewColumn("useful tokens/s", is_ranged=True),
            ViewColumn("MFU", "1"),
            ViewColumn("goodput", "1"),
        )
        rows = tuple(
            (
                Number(p["chips"], f"{p['chips']:,}"),
                ranged(p, lambda value: f"{value:,.0f}"),
                Number(p["mfu"], f"{p['mfu']:.1%}"),
                Number(p["goodput"], f"{p['goodput']:.1%}"),
            )
            for p in curve["points"]
        )
        unfit = ", ".join(f"{n:,}" for n in curve["unfit"])
        note = f"No strategy is legal and fits on {unfit} chips." if unfit else ""
        yield ViewTable(f"curve-{place}", f"{curve['pool']}: {knee}", columns, rows, note)


def _tornado(sensitivity: Document) -> tuple[SwingChart | ViewTable | str, ...]:
    swings = sensitivity["swings"]
    if not swings:
        return ("No assumption moves the answer.",)
    bars = tuple(
        ChartSwing(
            s["assumption"],
            s["at_low"],
            s["at_high"],
            f"{s['low']}: {s['at_low']:.2f}",
            f"{s['high']}: {s['at_high']:.2f}",
        )
        for s in swings
    )
    answer = sensitivity["answer"]
    chart = SwingChart("sensitivity", f"The answer with one assumption at a time at both its ends ({answer})", "times the first",
                   bars, (sensitivity["nominal"], "as it is"), (1.0, "the answer flips at 1"))  # fmt: skip
    columns = (
        ViewColumn("assumption about the other pool"),
        ViewColumn("low end"),
        ViewColumn("answer there"),
        ViewColumn("high end"),
        ViewColumn("the answer there"),
        ViewColumn("flips"),
    )
    rows = tuple(
        (s["assumption"], s["low"], Number(s["at_low"], f"{s['at_low']:.3f}"), s["high"],
         Number(s["at_high"], f"{s['at_high']:.3f}"), "yes" if s["flips"] else "no")
        for s in swings
    )  # fmt: skip
    return (chart, ViewTable("sensitivity", "Which assumption would flip the answer", columns, rows))
