"""The page of a run under failures, made from its JSON document."""

from __future__ import annotations

from collections.abc import Iterator

from tianji.formatting import format_bytes
from tianji.report.charts import BarChart, ChartBar, ChartSwing, SwingChart
from tianji.report.documents.ranges import RangeDocument
from tianji.report.view import Block, Cell, Facts, Highlight, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.basis import Document, basis_section, publications
from tianji.report.views.cells import ranged
from tianji.report.views.plan_result import breakdown_chart, shorten_layout
from tianji.report.views.request_summary import request_facts
from tianji.report.vocabulary import LOSSES, STORES
from tianji.units import show

CASES = (("nominal", "nominal"), ("low", "many failures"), ("high", "few failures"))
COMPONENTS = {"chip": "chips", "memory": "memory of chips", "node": "nodes", "link": "links", "switch": "switches"}


def goodput_page(document: Document) -> View:
    """Return the page of ``goodput_document``."""
    plan = document["plan"]
    title = f"Goodput: {document['model']['name']} on {document['pool']['chips']:,} x {document['pool']['name']}"
    lead = [f"{shorten_layout(plan['strategy'])} on {plan['chips']:,} chips; {document['goodput']['leans_on']}."]
    lead.append(f"{document['loss_in_words'][0].upper()}{document['loss_in_words'][1:]}.")
    if not plan["fits"]:
        over = plan["memory_total_bytes"] - plan["memory_limit_bytes"]
        lead.append(f"This plan does not fit: its fullest chip needs {format_bytes(over)} more than the usable memory.")
    sections = (
        ViewSection(
            "Where the time goes",
            (loss_chart(document["cases"]), failure_chart(document["cases"]), loss_table(document)),
        ),
        ViewSection("What each choice is worth", (choice_chart(document), choice_table(document))),
        ViewSection("Checkpoints and spares", (Facts(tuple(_settings(document))),)),
        ViewSection("The step without failures", (breakdown_chart(plan, "Where a step goes"),)),
        basis_section(document, _profile(document["failure_profile"]), profile_figures(document["failure_profile"])),
    )
    return View(
        title, tuple(lead), tuple(Highlight(*tile) for tile in _tiles(document)), sections, request_facts(document)
    )


def _tiles(document: Document) -> Iterator[tuple[str, Number]]:
    nominal, few, many = (document["cases"][case] for case in ("nominal", "high", "low"))
    yield "goodput", ranged(document["goodput"], lambda share: f"{share:.1%}")
    useful = document["useful_tokens_per_s"]
    yield (
        "useful tokens/s",
        Number(useful, f"{useful:,.0f}", span=f"of {document['plan']['tokens_per_s']:,.0f} without failures"),
    )
    between: RangeDocument = {"low": many["mtbf_s"], "nominal": nominal["mtbf_s"], "high": few["mtbf_s"]}
    yield "between failures", ranged(between, lambda seconds: show(seconds, "time"))
    spares = document["spare_nodes"]
    yield "spare nodes", Number(spares, f"{spares:,}", span=f"{nominal['spares_needed']:,} needed at the nominal rate")
    if document["days"] is not None:
        days = document["days"]
        yield "days", Number(days, f"{days:,.1f}", span=f"{document['plan']['days']:,.1f} without failures")


def loss_chart(cases: Document) -> BarChart:
    """Return the lost time by kind, the longest first."""
    bars = []
    for kind, nominal in sorted(cases["nominal"]["losses"].items(), key=lambda pair: -pair[1]):
        every = [cases[case]["losses"][kind] for case, _ in CASES]
        if any(every):
            bars.append(
                ChartBar(
                    LOSSES.get(kind, kind),
                    (("lost", nominal * 100),),
                    _with_ends(nominal, every, ".2%"),
                    *_ends(every, 100),
                )
            )
    title = "Lost time, with few and with many failures"
    return BarChart("losses", title, "% of wall-clock time", tuple(bars))


def failure_chart(cases: Document) -> BarChart:
    """Return the failures of a day by what fails."""
    bars = []
    for part, nominal in sorted(cases["nominal"]["failures_per_day"].items(), key=lambda pair: -pair[1]):
        every = [cases[case]["failures_per_day"].get(part, 0.0) for case, _ in CASES]
        bars.append(
            ChartBar(
                COMPONENTS.get(part, part),
                (("failures", nominal),),
                _with_ends(nominal, every, ".3g"),
                *_ends(every, 1),
            )
        )
    return BarChart("failures", "Failures that stop training, by what fails", "failures in a day", tuple(bars))


def _with_ends(nominal: float, values: list[float], form: str) -> str:
    return f"{nominal:{form}} ({min(values):{form}} to {max(values):{form}})"


def _ends(values: list[float], scale: float) -> tuple[float, float]:
    return min(values) * scale, max(values) * scale


def loss_table(document: Document) -> ViewTable:
    """Return the shares of wall-clock time; with the goodput they add up to all of it."""
    cases = document["cases"]
    kinds = [kind for kind in cases["nominal"]["losses"] if any(cases[case]["losses"][kind] for case, _ in CASES)]
    kinds.sort(key=lambda kind: -cases["nominal"]["losses"][kind])
    rows = [(LOSSES.get(kind, kind), *(_share(cases[case]["losses"][kind]) for case, _ in CASES)) for kind in kinds]
    rows.append(("goodput", *(_share(cases[case]["goodput"]) for case, _ in CASES)))
    columns = (ViewColumn("share of wall-clock time"), *(ViewColumn(words, "1") for _, words in CASES))
    return ViewTable("losses", "Where the time goes", columns, tuple(rows), best=len(rows) - 1)


def _share(value: float) -> Number:
    return Number(value, f"{value:.2%}")


def choice_chart(document: Document) -> SwingChart:
    """Return what each choice adds to the goodput, or takes from it."""
    now = document["goodput"]["nominal"]
    swings = []
    for choice in document["choices"]:
        gain = (choice["goodput"]["nominal"] - now) * 100
        text = f"{gain:+.2f}"
        swings.append(
            ChartSwing(choice["name"], gain, 0.0, text, "")
            if gain < 0
            else ChartSwing(choice["name"], 0.0, gain, "", text)
        )
    swings.sort(key=lambda swing: -(swing.low + swing.high))
    return SwingChart(
        "choices", "What each choice adds to the goodput, at the nominal failure rate", "percentage points", tuple(swings),
        (0.0, "as it is"), legend=("less", "more"), colours=(1, 0),
    )  # fmt: skip


def choice_table(document: Document) -> ViewTable:
    """Return the goodput of each choice and what it is worth in 30 days."""
    has_price = document["price_per_chip_hour"] is not None
    columns = [
        ViewColumn("choice"),
        ViewColumn("goodput", "1", is_ranged=True),
        ViewColumn("chip-hours in 30 days", "chip-hours"),
    ]
    columns += [ViewColumn("money in 30 days", "USD")] if has_price else []
    rows: list[tuple[Cell, ...]] = []
    for choice in document["choices"]:
        hours, money = choice["chip_hours_in_30_days"], choice["money_in_30_days"]
        cells: list[Cell] = [choice["name"], ranged(choice["goodput"], lambda share: f"{share:.2%}")]
        cells.append(Number(hours, f"{hours:+,.0f}"))
        cells += [Number(money, f"{money:+,.0f} USD")] if has_price else []
        rows.append(tuple(cells))
    return ViewTable("choices", "What each choice is worth beside yours", tuple(columns), tuple(rows))


def _settings(document: Document) -> Iterator[tuple[str, str]]:
    nominal, chosen = document["cases"]["nominal"], document["reliability"]
    step = document["plan"]["step_time_s"]
    for store, seconds in nominal["checkpoint_intervals_s"].items():
        steps = max(round(seconds / step), 1)
        yield f"Save to {STORES.get(store, store)}", f"every {show(seconds, 'time')}, {steps:,} step{'s' * (steps > 1)}"
    yield "One save", f"stops training for {show(nominal['save_time_s'], 'time')}"
    if nominal["drain_time_s"]:
        yield "Behind it", f"the storage writes for {show(nominal['drain_time_s'], 'time')}"
    yield "Recovery", f"{show(nominal['recovery_time_s'], 'time')} from a failure until training goes on"
    yield "Fastest rung", f"{chosen['recovery']} restart; a failure stops the whole {chosen['loss']}"
    yield (
        "Lost nodes",
        "a spare takes the place" if chosen["replacement"] == "spare" else "training shrinks until the repair",
    )
    needed = " / ".join(f"{document['cases'][case]['spares_needed']:,}" for case in ("high", "nominal", "low"))
    yield "Spare nodes", f"{document['spare_nodes']:,}; {needed} needed at few / nominal / many failures"


def profile_figures(profile: Document) -> list[Document]:
    """Return the figures of a failure profile in the form of all other figures."""
    own = [(name.replace("_", " "), figure) for name, figure in profile["figures"].items()]
    rungs = [
        (f"{rung['name']} restart: {what}", rung[what])
        for rung in profile["rungs"]
        for what in ("detection", "restart")
    ]
    return [{"of": f"failure profile {profile['name']}", "name": name, **figure} for name, figure in (*own, *rungs)]


def _profile(profile: Document) -> list[Block]:
    rows = tuple(
        (c["name"], c["component"], Number(c["count"], f"{c['count']:,.0f}"), c["per"], c["source"])
        for c in profile["causes"]
    )
    columns = (
        ViewColumn("cause"),
        ViewColumn("component"),
        ViewColumn("events"),
        ViewColumn("grows with"),
        ViewColumn("source"),
    )
    notes = [("Failures", profile["title"]), *(("Note", note) for note in profile["notes"])]
    table = ViewTable("causes", "How the failures divide", columns, rows)
    return [Facts(tuple(notes)), table, "Sources of the failure profile:", publications(profile["sources"])]
