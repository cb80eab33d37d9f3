"""The view of ``tianji goodput``: what lasts, where the rest of the time goes, and what each choice is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from tianji.formatting import count_noun, format_bytes, format_number, format_percent
from tianji.ranges import Range
from tianji.report.charts import BarChart, ChartBar, SwingChart
from tianji.report.documents.cited_figures import CitedFigureDocument
from tianji.report.documents.goodput import (
    CaseDocument,
    FailureProfileDocument,
    GoodputDocument,
    LastingDocument,
    ProfileFigureDocument,
)
from tianji.report.documents.ranges import RangeDocument
from tianji.report.view import Block, Cell, Facts, Highlight, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.basis import basis_section, publications
from tianji.report.views.breakdown import breakdown_chart, breakdown_table, swing_of
from tianji.report.views.cells import count_of, days_of, ranged, share_of
from tianji.report.views.plan_result import shorten_layout
from tianji.report.views.request_summary import bottom_lines, request_facts, title_of
from tianji.report.vocabulary import LOSSES, STORES
from tianji.units import show

COMPONENTS = {"chip": "chips", "memory": "memory of chips", "node": "nodes", "link": "links", "switch": "switches"}
CASE_COLUMNS = ("nominal", "many failures", "few failures")
Rows = list[tuple[str, tuple[float, ...]]]
"""What is counted, with its value in each case."""


def goodput_view(document: GoodputDocument) -> View:
    """Return the view of ``tianji goodput``."""
    plan, profile = document["plan"], document["failure_profile"]
    step = (breakdown_chart(plan["breakdown_s"], "Where a step goes"), breakdown_table(plan["breakdown_s"]))
    sections = (
        *lasting_sections(document),
        ViewSection("The step without failures", step, is_detail=True),
        basis_section(document, profile_blocks(profile), profile_figures(profile)),
    )
    failures = (("Failures", profile["title"]), *(("Note", note) for note in profile["notes"]))
    asked = request_facts(document, failures)
    return View(
        title_of("Goodput", document), tuple(_lead(document)), tuple(lasting_highlights(document)), sections, asked,
        bottom_lines(document["bottom_line"]),
    )  # fmt: skip


def _lead(document: GoodputDocument) -> Iterator[str]:
    plan, loss = document["plan"], document["loss_in_words"]
    yield f"{shorten_layout(plan['strategy'])} on {plan['chips']:,} chips; {document['leans_on']}."
    yield f"{loss[0].upper()}{loss[1:]}."
    if not plan["fits"]:
        over = plan["memory_total_bytes"] - plan["memory_limit_bytes"]
        yield f"This plan does not fit: {format_bytes(over)} over the usable {format_bytes(plan['memory_limit_bytes'])}."


def lasting_sections(document: LastingDocument) -> tuple[ViewSection, ...]:
    """Return where the time goes, what fails, and what each choice is worth."""
    worth = (choice_chart(document), choice_table(document))
    return (
        ViewSection("Where the time goes", (loss_chart(document), loss_table(document))),
        ViewSection("What fails", (failure_chart(document), failure_table(document))),
        ViewSection("Checkpoints and spares", (Facts(tuple(_settings(document))), *remedy_tables(document))),
        ViewSection("What each choice is worth beside yours, in 30 days", worth),
    )


def lasting_highlights(document: LastingDocument) -> Iterator[Highlight]:
    """Yield the few numbers that most readers come for."""
    nominal, many, few = _cases(document)
    sampled = f"sampled, ± {_fine_percent(nominal['standard_error'])}" if nominal["standard_error"] else ""
    yield Highlight("goodput", ranged(document["goodput"], format_percent), sampled)
    speed = f"of {document['tokens_per_s']:,.0f} without failures"
    yield Highlight("useful tokens/s", count_of(document["useful_tokens_per_s"]), speed)
    between: RangeDocument = {"low": many["mtbf_s"], "nominal": nominal["mtbf_s"], "high": few["mtbf_s"]}
    yield Highlight("between failures", ranged(between, _time), f"{_time(nominal['recovery_time_s'])} to recover")
    needed = " / ".join(f"{case['spares_needed']:,}" for case in (few, nominal, many))
    note = f"{needed} needed at few / nominal / many failures"
    yield Highlight("spare nodes", count_of(document["spare_nodes"]), note)
    if document["days_range"] is not None:
        without = f"{document['days_without_failures']:,.1f} without" if document["days_without_failures"] else ""
        yield Highlight("days with failures", days_of(document["days_range"]), without)


def _fine_percent(share: float) -> str:
    return format_percent(share, 2)


def _time(seconds: float) -> str:
    return show(seconds, "time")


def _cases(document: LastingDocument) -> tuple[CaseDocument, CaseDocument, CaseDocument]:
    """Return the cases in the order of the columns."""
    cases = document["cases"]
    return cases["nominal_failures"], cases["many_failures"], cases["few_failures"]


# --- where the time goes, and what fails -----------------------------------------------------------------------
def _rows(parts: Sequence[Mapping[str, float]]) -> Rows:
    """Return each kind with its value in every case, by the nominal value; what is nothing in all cases is left out."""
    kinds = sorted(dict.fromkeys(kind for part in parts for kind in part), key=lambda kind: -parts[0].get(kind, 0.0))
    rows = [(kind, tuple(part.get(kind, 0.0) for part in parts)) for kind in kinds]
    return [(kind, values) for kind, values in rows if any(values)]


def _losses(document: LastingDocument) -> Rows:
    return [(LOSSES.get(kind, kind), row) for kind, row in _rows([case["losses"] for case in _cases(document)])]


def _failures(document: LastingDocument) -> Rows:
    rows = _rows([case["failures_per_day"] for case in _cases(document)])
    return [(COMPONENTS.get(part, part), row) for part, row in rows]


def _bars(rows: Rows, what: str, form: Callable[[float], str], scale: float) -> tuple[ChartBar, ...]:
    bars = []
    for label, values in rows:
        # A kind may be more in the case of few failures, so that the ends are those of the values.
        span = Range(min(values), values[0], max(values))
        words = ranged(span.to_dict(), form).words
        bars.append(ChartBar(label, ((what, values[0] * scale),), words, span.low * scale, span.high * scale))
    return tuple(bars)


def loss_chart(document: LastingDocument) -> BarChart:
    """Return the lost time by kind, the longest first."""
    bars = _bars(_losses(document), "lost", _fine_percent, 100.0)
    return BarChart("losses", "Lost time, with few and with many failures", "% of wall-clock time", bars)


def loss_table(document: LastingDocument) -> ViewTable:
    """Return the shares of wall-clock time; with the goodput they add up to all of it."""
    rows: list[tuple[Cell, ...]] = [
        (kind, *(share_of(share, 2) for share in shares)) for kind, shares in _losses(document)
    ]
    rows.append(("goodput", *(share_of(case["goodput"], 2) for case in _cases(document))))
    columns = (ViewColumn("share of wall-clock time"), *(ViewColumn(words, "1") for words in CASE_COLUMNS))
    return ViewTable("losses", "", columns, tuple(rows), has_total=True, bar=1)


def failure_chart(document: LastingDocument) -> BarChart:
    """Return the failures of a day by what fails."""
    bars = _bars(_failures(document), "failures", format_number, 1.0)
    return BarChart("failures", "Failures that stop training, by what fails", "failures in a day", bars)


def failure_table(document: LastingDocument) -> ViewTable:
    """Return the same in numbers."""
    rows: list[tuple[Cell, ...]] = [
        (part, *(Number(value, format_number(value)) for value in values)) for part, values in _failures(document)
    ]
    columns = (ViewColumn("failures in a day"), *(ViewColumn(words, "1/day") for words in CASE_COLUMNS))
    return ViewTable("failures", "", columns, tuple(rows), bar=1)


# --- choices ---------------------------------------------------------------------------------------------------
def choice_chart(document: LastingDocument) -> SwingChart:
    """Return what each choice adds to the goodput, or takes from it."""
    swings = []
    for choice in document["choices"]:
        gain = (choice["goodput"]["nominal"] - document["goodput"]["nominal"]) * 100
        text = f"{gain:+.2f}"
        swings.append(swing_of(choice["name"], gain, text))
    swings.sort(key=lambda swing: -(swing.low + swing.high))
    return SwingChart(
        "choices", "What each choice adds to the goodput, at the nominal failure rate", "percentage points", tuple(swings),
        (0.0, "as it is"), legend=("less", "more"), colours=(1, 0),
    )  # fmt: skip


def choice_table(document: LastingDocument) -> ViewTable:
    """Return the goodput of each choice and what it gains in 30 days."""
    has_price = document["price_usd_per_chip_hour"] is not None
    columns = (
        ViewColumn("choice"), ViewColumn("goodput", "1", is_ranged=True), ViewColumn("chip-hours", "chip-hours"),
        *((ViewColumn("money", "USD"),) if has_price else ()),
    )  # fmt: skip
    rows = []
    for choice in document["choices"]:
        hours, money = choice["chip_hours_in_30_days"], choice["money_in_30_days_usd"]
        cells: list[Cell] = [
            choice["name"],
            ranged(choice["goodput"], _fine_percent),
            Number(hours, f"{hours:+,.0f}"),
        ]
        cells += [] if money is None else [Number(money, f"{money:+,.0f} USD")]
        rows.append(tuple(cells))
    return ViewTable("choices", "", columns, tuple(rows))


def remedy_tables(document: LastingDocument) -> tuple[ViewTable, ...]:
    """Return what other checkpoint intervals and other numbers of spare nodes leave."""
    tables = []
    if document["intervals"]:
        rows = tuple(
            (
                f"{_time(i['interval_s'])}{', recommended' * i['is_recommended']}{', best' * i['is_best']}", count_of(i["steps"]),
                ranged(i["goodput"], _fine_percent), share_of(i["writing"]),
            )
            for i in document["intervals"]
        )  # fmt: skip
        columns = (
            ViewColumn("save to storage every"), ViewColumn("steps"), ViewColumn("goodput", "1", is_ranged=True),
            ViewColumn("storage writes", "1"),
        )  # fmt: skip
        best = next((i for i, row in enumerate(document["intervals"]) if row["is_recommended"]), None)
        note = "Recommended: the longest within 0.1 point of the best; the storage writes at most half of the time."
        tables.append(ViewTable("intervals", "", columns, rows, note=note, best=best))
    if document["spares"]:
        counts = tuple(
            (count_of(s["spares"]), ranged(s["goodput"], _fine_percent), share_of(s["waiting"], 2))
            for s in document["spares"]
        )
        heads = (ViewColumn("spare nodes"), ViewColumn("goodput", "1", is_ranged=True), ViewColumn("waiting", "1"))
        best = next((i for i, s in enumerate(document["spares"]) if s["spares"] == document["spare_nodes"]), None)
        tables.append(ViewTable("spares", "", heads, counts, best=best))
    return tuple(tables)


# --- settings and the failure profile --------------------------------------------------------------------------
def _settings(document: LastingDocument) -> Iterator[tuple[str, str]]:
    nominal, chosen = document["cases"]["nominal_failures"], document["reliability"]
    if recommended := describe_recommended(document):
        yield "Recommended", recommended
    for store, seconds in reversed(nominal["checkpoint_intervals_s"].items()):
        steps = max(round(seconds / document["step_time_s"]), 1)
        chosen_by = (
            "the best for goodput; the figures above are at it" if chosen["interval"] is None else "as you set it"
        )
        every = f"every {_time(seconds)}, {count_noun(steps, 'step')}"
        yield f"Counted, {STORES.get(store, store)}", f"{every}: {chosen_by}"
    yield "One save", describe_save(nominal)
    yield "Fastest rung", f"{chosen['recovery']} restart"
    is_spare = chosen["replacement"] == "spare"
    yield "Lost nodes", "a spare takes the place" if is_spare else "training shrinks until the repair"


def describe_recommended(document: LastingDocument) -> str:
    """Return the recommended interval beside the best one, and the reason; nothing where no interval is weighed."""
    intervals = document["intervals"]
    longest = next((i for i in intervals if i["is_recommended"]), None)
    best = next((i for i in intervals if i["is_best"]), None)
    if longest is None or best is None:
        return ""
    every = f"save every {_time(longest['interval_s'])}, {count_of(longest['steps']).text} steps"
    lost = (best["goodput"]["nominal"] - longest["goodput"]["nominal"]) * 100
    return (
        f"{every}: fewer saves spare the storage ({format_percent(longest['writing'])} of the time it writes, in place of"
        f" {format_percent(best['writing'])} at the best interval, {_time(best['interval_s'])}), and cost"
        f" {max(lost, 0.0):.2f} points of goodput, too little to notice"
    )


def describe_save(case: CaseDocument) -> str:
    """Return how long a save stops the training, and how busy it keeps the storage."""
    text, drain = f"stops the training for {_time(case['save_time_s'])}", case["drain_time_s"]
    interval = case["checkpoint_intervals_s"].get("storage")
    if not drain or interval is None:
        return text
    return f"{text}; the storage writes for {_time(drain)}, {drain / max(interval, drain) * 100:.0f} % of the time"


def profile_figures(profile: FailureProfileDocument) -> list[CitedFigureDocument]:
    """Return the figures of a failure profile in the form of all other figures."""
    figures = [(name.replace("_", " "), figure) for name, figure in profile["figures"].items()]
    for rung in profile["rungs"]:
        figures.append((f"{rung['name']} restart: detection", rung["detection"]))
        figures.append((f"{rung['name']} restart: restart", rung["restart"]))
    return [_cited(f"failure profile {profile['name']}", name, figure) for name, figure in figures]


def _cited(of: str, name: str, figure: ProfileFigureDocument) -> CitedFigureDocument:
    return {
        "of": of, "name": name, "value": figure["value"], "low": figure["low"], "high": figure["high"],
        "text": figure["text"], "confidence": figure["confidence"], "note": figure["note"],
        "contradicts": figure["contradicts"], "sources": figure["sources"],
    }  # fmt: skip


def profile_blocks(profile: FailureProfileDocument) -> list[Block]:
    """Return how the failures of a profile divide, and its sources."""
    rows = tuple((c["name"], c["component"], count_of(c["count"]), c["per"], c["source"]) for c in profile["causes"])
    columns = tuple(map(ViewColumn, ("cause", "component", "events", "grows with", "source")))
    table = ViewTable("causes", "How the failures divide", columns, rows)
    return [table, "Sources of the failure profile:", publications(profile["sources"])]
