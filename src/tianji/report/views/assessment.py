"""Pools side by side in a view: measures, where the time and the money go, the plans, and what each pool stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from tianji.formatting import format_days, format_duration, format_number, format_percent
from tianji.report.charts import BarChart, ChartBar
from tianji.report.documents.assessment import AssessmentDocument
from tianji.report.documents.cited_figures import CitedFigureDocument
from tianji.report.documents.ranges import RangeDocument
from tianji.report.documents.request import WorkDocument
from tianji.report.view import Block, Cell, Facts, ViewColumn, ViewSection, ViewTable
from tianji.report.views.basis import BASIS, calibration_blocks, figure_table, publications, sources_of
from tianji.report.views.cells import ranged, ranged_or, share_of, size_of
from tianji.report.views.plan_result import shorten_layout
from tianji.report.views.request_summary import describe_job, describe_tier, has_experts
from tianji.report.views.software import describe_software
from tianji.report.vocabulary import LOSSES
from tianji.units import KILO, show

Ratios = Mapping[str, Sequence[RangeDocument | None]]
"""By the key of a measure: each pool's over that of the first."""
DRAWN = ("days", "useful_tokens_per_day", "cost", "power", "energy_per_token", "carbon")
"""Measures that have a chart."""
CLASSES = {
    "matmul": "matrix multiplications",
    "attention": "attention",
    "vector": "other computing",
    "recompute": "other computing",
    "optimizer": "other computing",
    "bubble": "pipeline bubble",
    "waiting": "other waiting",
    "overhead": "other waiting",
}
LINKS = "links, exposed"
UNITS = {"billion": "billion tokens", "k USD": "thousand USD", "t": "tonnes", "J": "joules"}
"""Units of measures in words, where an axis has nothing else to say."""
BASES = {
    "published": "published",
    "derived": "derived from the chip's own limit",
    "bracket": "a bracket, never published",
}
POWERS = (
    ("chip_w", "a chip with its share of all else"), ("node_w", "a node"), ("cabinet_w", "a cabinet"), ("unit_w", "a unit"),
    ("busy_w", "all, busy, before cooling"), ("idle_w", "all, idle, before cooling"),
    ("site_w", "all, with cooling, at most"),
)  # fmt: skip
NOT_PUBLISHED = "not published"


# --- what was asked, and what each pool stands on --------------------------------------------------------------
def pools_facts(document: WorkDocument, assumptions: Sequence[str], pools: Sequence[AssessmentDocument]) -> Facts:
    """Return the job, what was assumed, and what each pool's figures rest on."""
    rows = [("Job", describe_job(document)), *([("Assumed", "; ".join(assumptions))] if assumptions else [])]
    for pool in pools:
        rows += [(pool["name"], describe_standing(pool)), *_software(document, pool), *_prices(pool)]
    return Facts(tuple(rows))


def describe_standing(pool: AssessmentDocument) -> str:
    """Return where a pool stands and what its times rest on."""
    times = pool["calibration"]["leans_on"] or "bare datasheet peaks, a lower bound without a range"
    return f"stands in: {pool['site']['title']}; times: {times}"


def _software(document: WorkDocument, pool: AssessmentDocument) -> Iterator[tuple[str, str]]:
    if pool["software"]:
        yield "Stack", describe_software(pool["software"], has_experts=has_experts(document))


def _prices(pool: AssessmentDocument) -> Iterator[tuple[str, str]]:
    price, power = pool["price"], pool["power"]
    if price["basis"] != "unknown":
        yield "Price", f"{price['basis']}: {'; '.join(price['sources'])}"
    if power:
        figure = power["figure"]
        sources = ", ".join(source["key"] or source["title"] for source in figure["sources"])
        yield "Power", f"{BASES[power['basis']]}: {sources} ({figure['confidence']}) {figure['note']}".strip()
    if pool["replicas"] > 1:
        yield "Loss", pool["loss_in_words"]
    yield from (("Unknown", text) for text in pool["unknown"])


def caveats(pools: Sequence[AssessmentDocument]) -> list[str]:
    """Return what is assumed of pools larger than one unit, which chips stand idle or free, and owning against renting."""
    keys = ("beyond_unit", "idle", "free", "own_or_rent")
    texts = ((pool, pool[key]) for pool in pools for key in keys)  # type: ignore[literal-required]
    return [f"{pool['pool']}: {text}" for pool, text in texts if text]


def assessment_sections(pools: Sequence[AssessmentDocument]) -> tuple[ViewSection, ...]:
    """Return the sections that all answers on pools have: the plans, where time and money go, what it stands on."""
    bills = [pool for pool in pools if pool["bill_usd"]]
    money = ViewSection("The bill of 10¹² useful tokens", (bill_chart(bills), bill_table(bills)), is_detail=True)
    return (
        ViewSection("The best plan on each pool", (plan_table(pools),)),
        ViewSection("Where a step goes", (step_chart(pools), step_table(pools))),
        ViewSection("Time lost to failures, checkpoints and stragglers", (loss_chart(pools), loss_table(pools))),
        *((money,) if bills else ()),
        ViewSection("Power", (power_table(pools),), is_detail=True),
        _basis(pools),
    )


def _basis(pools: Sequence[AssessmentDocument]) -> ViewSection:
    blocks: list[Block] = []
    for place, pool in enumerate(pools, 1):
        blocks.append(Facts(tuple(_pool_facts(pool))))
        blocks += calibration_blocks(pool["calibration"], f"calibration-{place}")
    figures = _unique([figure for pool in pools for figure in (*pool["figures"], *_site_and_power_figures(pool))])
    sources = [*sources_of(figures), *(source for pool in pools for source in pool["price"]["publications"])]
    return ViewSection(BASIS, (*blocks, figure_table(figures), publications(sources)), is_detail=True)


def _pool_facts(pool: AssessmentDocument) -> Iterator[tuple[str, str]]:
    status = "" if pool["status"] == "shipping" else f" ({pool['status']})"
    yield "Pool", f"{pool['name']}: {pool['title']}{status}, {pool['chips_with_spares']:,} chips with spares"
    yield from (("Tier", describe_tier(tier)) for tier in pool["tiers"])
    yield "Loss", pool["loss_in_words"]


def _site_and_power_figures(pool: AssessmentDocument) -> Iterator[CitedFigureDocument]:
    for name, figure in pool["site"]["figures"].items():
        yield {"of": pool["site"]["name"], "name": name, **figure}
    if pool["power"]:
        yield {"of": pool["chip"], "name": "power with its share of all else", **pool["power"]["figure"]}


def _unique(figures: Sequence[CitedFigureDocument]) -> list[CitedFigureDocument]:
    return list({(f["of"], f["name"], f["value"]): f for f in figures}.values())


# --- measures --------------------------------------------------------------------------------------------------
def measure_bars(pools: Sequence[AssessmentDocument]) -> Iterator[BarChart]:
    """Return a chart for each measure that at least one pool has, with its range as whiskers."""
    for key in DRAWN:
        measures = [pool["measures"][key] for pool in pools]
        if all(measure["value"] is None for measure in measures):
            continue
        title, unit = measures[0]["title"], measures[0]["unit"]
        bars = tuple(_bar(pool["name"], pool["measures"][key]["value"], _form(unit)) for pool in pools)
        lacking = [pool["name"] for pool in pools if pool["measures"][key]["value"] is None]
        note = f"Not known of {', '.join(lacking)}: see what it stands on." if lacking else ""
        name, title = key.replace("_", "-"), f"{title[0].upper()}{title[1:]}"
        yield BarChart(name, title, UNITS.get(unit, unit), bars, note=note)


def _form(unit: str) -> Callable[[float], str]:
    return format_days if unit == "days" else format_number


def _bar(name: str, value: RangeDocument | None, form: Callable[[float], str]) -> ChartBar:
    if value is None:
        return ChartBar(name, ((name, 0.0),), "not known")
    return ChartBar(name, ((name, value["nominal"]),), ranged(value, form).words, value["low"], value["high"])


def measure_table(pools: Sequence[AssessmentDocument], ratios: Ratios | None = None) -> ViewTable:
    """Return every measure of every pool with its range, and its ratio to the first where there is one."""
    columns = [ViewColumn("measure"), ViewColumn("unit")]
    for place, pool in enumerate(pools):
        columns.append(ViewColumn(pool["name"], is_ranged=True))
        if place and ratios:
            columns.append(ViewColumn("ratio", is_ranged=True))
    rows = []
    for key, measure in pools[0]["measures"].items():
        values = [pool["measures"][key]["value"] for pool in pools]
        if all(value is None for value in values):
            continue
        cells: list[Cell] = [measure["title"], measure["unit"]]
        for place, value in enumerate(values):
            cells.append(ranged_or(value, _form(measure["unit"]), NOT_PUBLISHED))
            if place and ratios:
                cells.append(ranged_or(ratios[key][place], "{:.2f}".format, ""))
        rows.append(tuple(cells))
    note = "Nominal, with low and high" + ("; ratios to the first." if ratios else ".")
    return ViewTable("measures", "", tuple(columns), tuple(rows), note, keys=2)


# --- time ------------------------------------------------------------------------------------------------------
def _step_shares(pool: AssessmentDocument) -> dict[str, float]:
    """Return the shares of a step by class, computing first."""
    shares = dict.fromkeys((*CLASSES.values(), LINKS), 0.0)
    for kind, seconds in pool["plan"]["breakdown_s"].items():
        name = LINKS if kind.endswith("_comm") else CLASSES.get(kind, kind)
        shares[name] = shares.get(name, 0.0) + seconds / pool["plan"]["step_time_s"]
    return shares


def _used(shares: Sequence[Mapping[str, float]]) -> list[str]:
    """Return the names that have a share on one of the pools at least, in their order."""
    names = dict.fromkeys(name for one in shares for name in one)
    return [name for name in names if any(one.get(name) for one in shares)]


def step_chart(pools: Sequence[AssessmentDocument]) -> BarChart:
    """Return the shares of a step on each pool."""
    every = [_step_shares(pool) for pool in pools]
    bars = tuple(
        ChartBar(
            pool["name"],
            tuple((name, share * 100) for name, share in shares.items() if share),
            format_duration(pool["plan"]["step_time_s"]),
        )
        for pool, shares in zip(pools, every, strict=True)
    )
    return BarChart("steps", "Where a step goes", "% of the step", bars, legend=tuple(_used(every)))


def step_table(pools: Sequence[AssessmentDocument]) -> ViewTable:
    """Return the same in numbers."""
    return _share_table("steps", "share of a step", pools, [_step_shares(pool) for pool in pools])


def loss_chart(pools: Sequence[AssessmentDocument]) -> BarChart:
    """Return the time that failures take on each pool."""
    bars = tuple(
        ChartBar(
            pool["name"],
            tuple((LOSSES.get(kind, kind), share * 100) for kind, share in pool["goodput_losses"].items()),
            format_percent(sum(pool["goodput_losses"].values())),
        )
        for pool in pools
    )
    return BarChart("losses", "Time lost to failures, checkpoints and stragglers", "% of wall-clock time", bars)


def loss_table(pools: Sequence[AssessmentDocument]) -> ViewTable:
    """Return the same in numbers."""
    losses = [{LOSSES.get(k, k): share for k, share in pool["goodput_losses"].items()} for pool in pools]
    return _share_table("losses", "share of wall-clock time", pools, losses, digits=2)


def _share_table(
    name: str, what: str, pools: Sequence[AssessmentDocument], shares: Sequence[Mapping[str, float]], digits: int = 1
) -> ViewTable:
    columns = (ViewColumn(what), *(ViewColumn(pool["name"], "1") for pool in pools))
    rows: list[tuple[Cell, ...]] = [
        (kind, *(share_of(one.get(kind, 0.0), digits) for one in shares)) for kind in _used(shares)
    ]
    return ViewTable(name, "", columns, tuple(rows))


# --- money and power -------------------------------------------------------------------------------------------
def bill_chart(pools: Sequence[AssessmentDocument]) -> BarChart:
    """Return the line items of each bill, stacked, with the range of the whole."""
    bars = []
    for pool in pools:
        cost, items = pool["measures"]["cost"]["value"], pool["bill_usd"]
        if cost and items:
            parts = tuple((name.replace("_", " "), item["nominal"] / KILO) for name, item in items.items())
            bars.append(ChartBar(pool["name"], parts, ranged(cost, format_number).words, cost["low"], cost["high"]))
    return BarChart("bill", "Cost of 10¹² useful tokens, by item", "thousand USD", tuple(bars))


def bill_table(pools: Sequence[AssessmentDocument]) -> ViewTable:
    """Return the line items of each bill."""
    bills = [pool["bill_usd"] or {} for pool in pools]
    columns = (ViewColumn("item"), *(ViewColumn(f"{pool['name']}, USD", "USD", is_ranged=True) for pool in pools))
    rows = tuple(
        (name.replace("_", " "), *(ranged_or(bill.get(name), format_number, "") for bill in bills))
        for name in dict.fromkeys(name for bill in bills for name in bill)
    )
    return ViewTable("bill", "", columns, rows)


def plan_table(pools: Sequence[AssessmentDocument]) -> ViewTable:
    """Return the best plan of each pool."""
    columns = (
        ViewColumn("pool"), ViewColumn("precision", rank=2), ViewColumn("layout"), ViewColumn("step", "s", is_ranged=True),
        ViewColumn("MFU", "1"), ViewColumn("memory", "bytes", rank=1),
    )  # fmt: skip
    rows = tuple(
        (
            pool["name"],
            pool["precision"],
            shorten_layout(pool["plan"]["strategy"]),
            ranged(pool["plan"]["step_time_range_s"], format_duration),
            share_of(pool["plan"]["mfu"]),
            size_of(pool["plan"]["memory_total_bytes"]),
        )
        for pool in pools
    )
    return ViewTable("plans", "", columns, rows)


def power_table(pools: Sequence[AssessmentDocument]) -> ViewTable:
    """Return the power of each pool from the chip to the site."""
    columns = (ViewColumn("power of"), *(ViewColumn(pool["name"], "W", is_ranged=True) for pool in pools))
    rows = []
    for key, words in POWERS:
        # A type checker takes literal keys alone; these stand in POWERS.
        values: list[RangeDocument | None] = [pool["power"][key] if pool["power"] else None for pool in pools]  # type: ignore[literal-required]
        if any(values):
            cells = (ranged_or(value, lambda watts: show(watts, "power"), NOT_PUBLISHED) for value in values)
            rows.append((words, *cells))
    return ViewTable("power", "", columns, tuple(rows))
