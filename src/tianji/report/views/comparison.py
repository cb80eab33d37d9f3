"""The views of pool against pool: compare, replace and size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tianji.formatting import format_count, format_number
from tianji.report.charts import ChartPoint, ChartSeries, ChartSwing, CurveChart, SwingChart
from tianji.report.documents.assessment import AssessmentDocument
from tianji.report.documents.batches import OtherBatchesDocument
from tianji.report.documents.comparison import (
    ComparisonDocument,
    CurveDocument,
    ReplacementDocument,
    SensitivityDocument,
    SizingDocument,
)
from tianji.report.documents.request import WorkDocument
from tianji.report.view import Block, Highlight, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.assessment import (
    NOT_PUBLISHED,
    assessment_sections,
    caveats,
    measure_bars,
    measure_table,
    pools_facts,
)
from tianji.report.views.batches import batches_lead, batches_section
from tianji.report.views.cells import count_of, days_of, ranged, ranged_or, share_of
from tianji.report.views.request_summary import bottom_lines
from tianji.units import DAY

HIGHLIGHTED = {
    "useful_tokens_per_day": "useful tokens a day", "cost": "cost of a useful token", "power": "power, busy",
}  # fmt: skip
"""Measures whose ratios most readers came for."""
CURVE = "Useful tokens/s against chips, each size with its own best strategy"
MOST_ALONE = 2
"""Pools of which the bottom line says all that there is to say of pairs."""
SIDE_BY_SIDE = "Side by side"


def comparison_view(document: ComparisonDocument) -> View:
    """Return the view of ``tianji compare``."""
    pools, ratios = document["pools"], document["ratios"]
    return View(
        f"{_model(document, pools)}: {' against '.join(pool['name'] for pool in pools)}",
        (*document["verdicts"], *batches_lead(document["batches"]), *caveats(pools)),
        tuple(_ratio_highlights(document)),
        (
            *((ViewSection("Every pair", (_pairs(document),)),) if len(pools) > MOST_ALONE else ()),
            ViewSection(SIDE_BY_SIDE, (*measure_bars(pools), measure_table(pools, ratios))),
            *batches_section(document["batches"]),
            *assessment_sections(pools),
        ),
        pools_facts(document, document["assumptions"], pools),
        bottom_lines(document["bottom_line"]),
    )


def _model(document: WorkDocument, pools: Sequence[AssessmentDocument]) -> str:
    """Return the model in its precision, or in those of the pools, in their order."""
    words = list(dict.fromkeys(pool["precision"] for pool in pools))
    return f"{document['model']['name']} in {' and '.join(words)}"


def _pairs(document: ComparisonDocument) -> ViewTable:
    """Return the verdict between every two pools."""
    columns = (
        ViewColumn("pool"), ViewColumn("over"), ViewColumn("useful tokens", is_ranged=True), ViewColumn("faster", "1"),
        ViewColumn("speed"), ViewColumn("cost of a token", is_ranged=True, rank=1), ViewColumn("cheaper", "1", rank=1),
        ViewColumn("cost", rank=1),
    )  # fmt: skip
    rows = tuple(
        (
            pair["one"], pair["other"], ranged(pair["speed"], "{:.2f}".format), share_of(pair["is_faster_chance"], 0),
            pair["speed_verdict"],
            ranged_or(pair["cost"], "{:.2f}".format, NOT_PUBLISHED),
            NOT_PUBLISHED if pair["is_cheaper_chance"] is None else share_of(pair["is_cheaper_chance"], 0),
            pair["cost_verdict"] or NOT_PUBLISHED,
        )
        for pair in document["pairs"]
    )  # fmt: skip
    note = "Each over a pool named before it, with the chance that it is faster, and cheaper by the token; open: 1 in the range."
    return ViewTable("pairs", "", columns, rows, note)


def _ratio_highlights(document: ComparisonDocument) -> Iterator[Highlight]:
    for place, pool in enumerate(document["pools"][1:], 1):
        for key, words in HIGHLIGHTED.items():
            if ratio := document["ratios"][key][place]:
                yield Highlight(f"{words}: {pool['pool']} over the first", ranged(ratio, "{:.2f}".format))


def replacement_view(document: ReplacementDocument) -> View:
    """Return the view of ``tianji replace``."""
    first, other = document["first"], document["other"]
    pools = (first, other)
    sections = (
        ViewSection("How many chips give how much", (_two_curves(document), *_curve_tables(document))),
        ViewSection("What would flip the answer", (*_needed(document), *_tornado(document["sensitivity"]))),
        ViewSection(SIDE_BY_SIDE, (*measure_bars(pools), measure_table(pools, document["ratios"]))),
        *batches_section(document["batches"], of_chips=_moves_chips(document["batches"])),
        *assessment_sections(pools),
    )
    return View(
        f"{_model(document, pools)}: how many {other['pool']} replace {first['name']}",
        (*caveats(pools), *document["verdicts"], *batches_lead(document["batches"])),
        tuple(_replacement_highlights(document)),
        sections,
        pools_facts(document, document["assumptions"], pools),
        bottom_lines(document["bottom_line"]),
    )


def _replacement_highlights(document: ReplacementDocument) -> Iterator[Highlight]:
    first, other, chips = document["first"], document["other"], document["chips"]
    few, many = document["chips_fewest"], document["chips_most"]
    ends = (f"{end:,.0f}" if end is not None else "beyond those tried" for end in (few, many))
    needed = Number(chips, f"{chips:,}", few, many, "" if few == many else " to ".join(ends))
    yield Highlight(f"chips of {other['pool']}", needed, f"match: {document['match']}")
    if other["unit_chips"] is not None:
        yield Highlight(
            "units to buy", count_of(document["units"]), f"of {other['unit_chips']:,} chips, spares counted"
        )
    each = first["chips"] / chips
    yield Highlight(f"{first['pool']} chips that one replaces", Number(each, f"{each:.2f}"))


def _moves_chips(batches: OtherBatchesDocument | None) -> bool:
    """Return whether the second pool has another number of chips at another batch."""
    points = batches["points"] if batches else []
    return len({pool["chips"] for point in points for pool in point["pools"][1:] if pool}) > 1


def sizing_view(document: SizingDocument) -> View:
    """Return the view of ``tianji size``."""
    best, pools = document["best"], (document["best"],)
    sections = (
        ViewSection("How many chips give how much", (_one_curve(document), _curve_table(document["curve"], 1, best["chips"]))),
        *batches_section(document["batches"], of_chips=True),
        ViewSection("All measures", (measure_table(pools),)),
        *assessment_sections(pools),
    )  # fmt: skip
    tokens = format_count(document["job"]["tokens"] or 0.0)
    return View(
        f"{_model(document, pools)}: {tokens} tokens in {document['days_allowed']:g} days on {best['pool']}",
        (*_sizing_lead(document), *batches_lead(document["batches"]), *caveats(pools)),
        tuple(_sizing_highlights(document)),
        sections,
        pools_facts(document, document["assumptions"], pools),
        bottom_lines(document["bottom_line"]),
    )


def _sizing_lead(document: SizingDocument) -> Iterator[str]:
    if not document["is_met"]:
        yield "What binds:"
        yield from document["binding"]


def _sizing_highlights(document: SizingDocument) -> Iterator[Highlight]:
    best, days = document["best"], document["best"]["measures"]["days"]["value"]
    yield Highlight("chips", count_of(document["chips"]), f"{best['chips_with_spares']:,} with spares")
    if days:
        yield Highlight("days with failures", days_of(days), f"of {document['days_allowed']:g} allowed")
    if cost := document["cost_of_run_usd"]:
        budget = document["budget_usd"]
        note = f"of a budget of {format_number(budget)} USD" if budget else ""
        yield Highlight("cost of the run", Number(cost, f"{format_number(cost)} USD"), note)


# --- curves ----------------------------------------------------------------------------------------------------
def _two_curves(document: ReplacementDocument) -> CurveChart:
    first, other, curves = document["first"], document["other"], document["curves"]
    chosen = float(document["chips"])
    series = (_series(curves["first"], first["chips"]), _series(curves["other"], other["chips"]))
    marks = (*_knee(curves["first"], 0), *_knee(curves["other"], 1), (1, chosen, f"{chosen:,.0f} chips"))
    points = curves["first"]["points"]
    useful = next(p["useful_tokens_per_s"]["nominal"] for p in points if p["chips"] == first["chips"])
    return CurveChart(
        "throughput", CURVE, "chips", "useful tokens/s", series, is_log=True, marks=marks, level=(useful, first["name"]),
        note="Bands: range of the step time and of the goodput.",
    )  # fmt: skip


def _one_curve(document: SizingDocument) -> CurveChart:
    curve, cautious = document["curve"], document["chips_cautious"]
    needed = (document["job"]["tokens"] or 0.0) / (document["days_allowed"] * DAY)
    slow = ((0, float(cautious), f"slow case: {cautious:,}"),) if cautious else ()
    marks = (*_knee(curve, 0), (0, float(document["chips"]), f"{document['chips']:,} chips"), *slow)
    return CurveChart(
        "throughput", CURVE, "chips", "useful tokens/s", (_series(curve, document["chips"]),), is_log=True, marks=marks,
        level=(needed, f"needed for {document['days_allowed']:g} days"),
        note="Band: range of the step time and of the goodput.",
    )  # fmt: skip


def _knee(curve: CurveDocument, place: int) -> Iterator[tuple[int, float, str]]:
    if curve["knee"]:
        yield place, float(curve["knee"]), "knee"


def _series(curve: CurveDocument, chosen: int) -> ChartSeries:
    points = []
    for point in curve["points"]:
        chips, useful = point["chips"], point["useful_tokens_per_s"]
        text = f"{chips:,} {curve['pool']}: {ranged(useful, '{:,.0f}'.format).words} useful tokens/s"
        is_chosen = chips == chosen
        points.append(ChartPoint(float(chips), useful["nominal"], text, useful["low"], useful["high"], is_chosen))
    return ChartSeries(curve["pool"], tuple(points))


def _curve_tables(document: ReplacementDocument) -> Iterator[ViewTable]:
    curves = document["curves"]
    most = max(p["useful_tokens_per_s"]["nominal"] for c in (curves["first"], curves["other"]) for p in c["points"])
    yield _curve_table(curves["first"], 1, document["first"]["chips"], most)
    yield _curve_table(curves["other"], 2, document["other"]["chips"], most)


def _curve_table(curve: CurveDocument, place: int, chosen: int, most: float | None = None) -> ViewTable:
    """Return the sizes that were tried; bars of two tables compare where both have the same ``most``."""
    knee = f"the knee is at {curve['knee']:,} chips" if curve["knee"] else "no knee within these sizes"
    columns = (
        ViewColumn("chips"), ViewColumn("useful tokens/s", is_ranged=True), ViewColumn("of one chip", rank=2),
        ViewColumn("MFU", "1"), ViewColumn("goodput", "1", rank=1),
    )  # fmt: skip
    rows = tuple(
        (
            count_of(p["chips"]),
            ranged(p["useful_tokens_per_s"], "{:,.0f}".format),
            count_of(p["useful_tokens_per_s"]["nominal"] / p["chips"]),
            "" if p["mfu"] is None else share_of(p["mfu"]),
            share_of(p["goodput"]),
        )
        for p in curve["points"]
    )
    unfit = ", ".join(f"{n:,}" for n in curve["unfit"])
    note = f"No strategy is legal and fits on {unfit} chips." if unfit else ""
    best = next((i for i, p in enumerate(curve["points"]) if p["chips"] == chosen), None)
    return ViewTable(
        f"curve-{place}", f"{curve['pool']}: {knee}", columns, rows, note, best=best, bar=1, bar_limit=most
    )


# --- sensitivity -----------------------------------------------------------------------------------------------
def _tornado(sensitivity: SensitivityDocument) -> Iterator[Block]:
    swings, answer = sensitivity["swings"], sensitivity["answer"]
    yield sensitivity["price"]["says"]
    if not swings or sensitivity["nominal_answer"] is None:
        yield "No assumption moves the answer."
        return
    bars = tuple(
        ChartSwing(
            s["assumption"],
            s["at_low"],
            s["at_high"],
            f"{s['low_end']}: {s['at_low']:.2f}",
            f"{s['high_end']}: {s['at_high']:.2f}",
        )
        for s in swings
    )
    title = f"The answer with one assumption at a time at both its ends ({answer})"
    base, mark = (sensitivity["nominal_answer"], "as it is"), (1.0, "the answer flips at 1")
    yield SwingChart("sensitivity", title, "times the first", bars, base, mark)
    columns = (
        ViewColumn("assumption about the other pool"), ViewColumn("low end"), ViewColumn("answer there"),
        ViewColumn("high end"), ViewColumn("the answer there"), ViewColumn("flips"),
    )  # fmt: skip
    rows = tuple(
        (s["assumption"], s["low_end"], Number(s["at_low"], f"{s['at_low']:.2f}"), s["high_end"],
         Number(s["at_high"], f"{s['at_high']:.2f}"), "yes" if s["flips"] else "no")
        for s in swings
    )  # fmt: skip
    yield ViewTable("sensitivity", "", columns, rows, f"The answer is the {answer}.")


def _needed(document: ReplacementDocument) -> Iterator[Block]:
    """Yield how many chips it takes with one assumption at a time at both its ends; nothing where money or power is equal."""
    swings = document["sensitivity"]["swings"]
    moved = [s for s in swings if any(s[key] for key in ("chips_at_low", "chips_at_high"))]
    if not moved:
        return
    columns = (
        ViewColumn("assumption about the other pool"), ViewColumn("low end"), ViewColumn("chips there"),
        ViewColumn("high end"), ViewColumn("the chips there"),
    )  # fmt: skip
    rows = tuple(
        (s["assumption"], s["low_end"], _chips(s["chips_at_low"]), s["high_end"], _chips(s["chips_at_high"]))
        for s in moved
        if s["chips_at_low"] != s["chips_at_high"]
    )
    note = f"As it is: {document['chips']:,} chips. Read off the curve; one assumption at a time."
    yield ViewTable("chips-needed", "", columns, rows, note)


def _chips(number: float | None) -> Number | str:
    return "beyond those tried" if number is None else Number(number, f"{number:,.0f}")
