"""Pools side by side in a view: measures, where the time and the money go, the plans, and what each pool stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from tianji.formatting import format_days, format_duration, format_number, format_percent
from tianji.report.charts import BarChart, ChartBar
from tianji.report.documents.assessment import AssessmentDocument, PartDocument
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
PAID = " The cost of the run is its rent, or what owning takes over its days; the capital expense buys whole units at once."
"""Two rows of money, and what each is compared with: its own kind."""
NOT_PUBLISHED, UNLIKE = "not published", "unlike peaks"


# --- what was asked, and what each pool stands on --------------------------------------------------------------
def pools_facts(document: WorkDocument, assumptions: Sequence[str], pools: Sequence[AssessmentDocument]) -> Facts:
    """Return the job, what was assumed, and what each pool's figures rest on."""
    rows = [("Job", describe_job(document)), *([("Assumed", "; ".join(assumptions))] if assumptions else [])]
    for pool in pools:
        if pool["parts"]:
            rows.append((pool["name"], f"a mixture; times: {pool['leans_on']}"))
        for part in _kinds([pool]):
            rows += [(part["name"], describe_standing(part)), *_software(document, part), *_prices(part)]
        if pool["replicas"] > 1:
            rows.append(("Loss", pool["loss_in_words"]))
        rows += [("Unknown", text) for text in pool["unknown"]]
    return Facts(tuple(rows))


Kind = AssessmentDocument | PartDocument
"""Chips of one kind: a pool, or a part of a mixture."""


def _kinds(pools: Sequence[AssessmentDocument]) -> list[Kind]:
    """Return the pools, and in place of a mixture its parts."""
    kinds: list[Kind] = []
    for pool in pools:
        kinds += pool["parts"] or [pool]
    return kinds


def describe_standing(pool: Kind) -> str:
    """Return where a pool stands and what its times rest on."""
    leans_on = pool["calibration"]["leans_on"] if pool["calibration"] else ""
    site = f"stands in: {pool['site']['title']}; " if pool["site"] else ""
    return f"{site}times: {leans_on or 'bare datasheet peaks, a lower bound without a range'}"


def _software(document: WorkDocument, pool: Kind) -> Iterator[tuple[str, str]]:
    if pool["software"]:
        yield "Stack", describe_software(pool["software"], has_experts=has_experts(document))


def _prices(pool: Kind) -> Iterator[tuple[str, str]]:
    price, power = pool["price"], pool["power"]
    if price and price["basis"] != "unknown":
        yield "Price", f"{price['basis']}: {'; '.join(price['sources'])}"
    if power:
        figure = power["figure"]
        sources = ", ".join(source["key"] or source["title"] for source in figure["sources"])
        yield "Power", f"{BASES[power['basis']]}: {sources} ({figure['confidence']}) {figure['note']}".strip()


def caveats(pools: Sequence[AssessmentDocument]) -> list[str]:
    """Return what is assumed of pools larger than one unit, which chips stand idle or free, and owning against renting."""
    keys = ("beyond_unit", "idle", "free", "own_or_rent")
    texts = ((pool, pool[key]) for pool in pools for key in keys)  # type: ignore[literal-required]
    return [f"{pool['pool']}: {text}" for pool, text in texts if text]


def assessment_sections(pools: Sequence[AssessmentDocument]) -> tuple[ViewSection, ...]:
    """Return the sections that all answers on pools have: the plans, where time and money go, what it stands on."""
    bills = [kind for kind in _kinds(pools) if kind["bill_usd"]]
    money = ViewSection("The bill of 10¹² useful tokens", (bill_chart(bills), bill_table(bills)), is_detail=True)
    # A mixture's parts take their steps side by side, which add up to none.
    planned = [pool for pool in pools if pool["plan"]]
    steps = ViewSection("Where a step goes", (step_chart(planned), step_table(planned)))
    return (
        ViewSection("The best plan on each pool", (plan_table(pools),)),
        *((steps,) if planned else ()),
        ViewSection("Time lost to failures, checkpoints and stragglers", (loss_chart(pools), loss_table(pools))),
        *((money,) if bills else ()),
        ViewSection("Power", (power_table(_kinds(pools)),), is_detail=True),
        _basis(pools),
    )


def _basis(pools: Sequence[AssessmentDocument]) -> ViewSection:
    blocks: list[Block] = []
    kinds = _kinds(pools)
    for place, kind in enumerate(kinds, 1):
        blocks.append(Facts(tuple(_pool_facts(kind))))
        blocks += calibration_blocks(kind["calibration"], f"calibration-{place}") if kind["calibration"] else []
    blocks.append(Facts(tuple((f"Loss, {pool['pool']}", pool["loss_in_words"]) for pool in pools)))
    figures = _unique([figure for kind in kinds for figure in (*kind["figures"], *_site_and_power_figures(kind))])
    prices = [kind["price"] for kind in kinds if kind["price"]]
    sources = [*sources_of(figures), *(source for price in prices for source in price["publications"])]
    return ViewSection(BASIS, (*blocks, figure_table(figures), publications(sources)), is_detail=True)


def _pool_facts(pool: Kind) -> Iterator[tuple[str, str]]:
    status = "" if pool["status"] == "shipping" else f" ({pool['status']})"
    yield "Pool", f"{pool['name']}: {pool['title']}{status}, {pool['chips_with_spares']:,} chips with spares"
    yield from (("Tier", describe_tier(tier)) for tier in pool["tiers"])


def _site_and_power_figures(pool: Kind) -> Iterator[CitedFigureDocument]:
    for name, figure in pool["site"]["figures"].items() if pool["site"] else ():
        yield {"of": pool["site"]["name"] if pool["site"] else "", "name": name, **figure}
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
        # A pool keeps its colour in each chart, also where it has no bar in one.
        yield BarChart(name, title, UNITS.get(unit, unit), bars, note=note, legend=tuple(p["name"] for p in pools))


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
            lacking = UNLIKE if key == "mfu" and pools[place]["parts"] else NOT_PUBLISHED
            cells.append(ranged_or(value, _form(measure["unit"]), lacking))
            if place and ratios:
                cells.append(ranged_or(ratios[key][place], "{:.2f}".format, ""))
        rows.append(tuple(cells))
    note = "Nominal, with low and high" + ("; ratios over the first." if ratios else ".")
    if any(all(pool["measures"][key]["value"] for key in ("cost_of_run", "capital")) for pool in pools):
        note += PAID
    return ViewTable("measures", "", tuple(columns), tuple(rows), note, keys=2)


# --- time ------------------------------------------------------------------------------------------------------
def _step_shares(pool: AssessmentDocument) -> dict[str, float]:
    """Return the shares of a step by class, computing first."""
    shares, plan = dict.fromkeys((*CLASSES.values(), LINKS), 0.0), pool["plan"]
    for kind, seconds in plan["breakdown_s"].items() if plan else ():
        name = LINKS if kind.endswith("_comm") else CLASSES.get(kind, kind)
        shares[name] = shares.get(name, 0.0) + seconds / (plan["step_time_s"] if plan else 1.0)
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
            format_duration(pool["step_time_range_s"]["nominal"]),
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
def bill_chart(pools: Sequence[Kind]) -> BarChart:
    """Return the line items of each bill, stacked, with the range of the whole."""
    bars = []
    for pool in pools:
        if items := pool["bill_usd"]:
            parts = tuple((name.replace("_", " "), item["nominal"] / KILO) for name, item in items.items())
            ends = (sum(item[end] for item in items.values()) / KILO for end in ("low", "nominal", "high"))
            low, nominal, high = ends
            words = ranged({"low": low, "nominal": nominal, "high": high}, format_number).words
            bars.append(ChartBar(pool["name"], parts, words, low, high))
    return BarChart("bill", "Cost of 10¹² useful tokens, by item", "thousand USD", tuple(bars))


def bill_table(pools: Sequence[Kind]) -> ViewTable:
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
            shorten_layout(pool["plan"]["strategy"]) if pool["plan"] else pool["layout"],
            ranged(pool["step_time_range_s"], format_duration),
            share_of(pool["plan"]["mfu"]) if pool["plan"] else "",
            _memory_of(pool),
        )
        for pool in pools
    )
    return ViewTable("plans", "", columns, rows)


def _memory_of(pool: AssessmentDocument) -> Cell:
    """Return the memory of the fullest chip, of a mixture's fullest part."""
    sizes = [part["memory_total_bytes"] for part in pool["parts"] if part["memory_total_bytes"]]
    sizes += [pool["plan"]["memory_total_bytes"]] if pool["plan"] else []
    return size_of(max(sizes)) if sizes else ""


def power_table(pools: Sequence[Kind]) -> ViewTable:
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
