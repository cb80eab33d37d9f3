"""Pools side by side on a page: measures as bars and as a table, bills, plans, and what each pool stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tianji.formatting import format_bytes, format_count, format_duration, format_number
from tianji.report.charts import BarChart, ChartBar
from tianji.report.view import Block, Cell, Facts, Number, ViewColumn, ViewSection, ViewTable
from tianji.report.views.basis import (
    Document,
    assumption_facts,
    calibration_blocks,
    figure_table,
    publications,
    sources_of,
)
from tianji.report.views.plan_result import shorten_layout
from tianji.report.vocabulary import LOSSES
from tianji.units import KILO, show

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


def measure_bars(pools: Sequence[Document]) -> Iterator[BarChart]:
    """Return a chart for each measure that at least one pool has, with its range as whiskers."""
    for key in DRAWN:
        spans = [pool["measures"][key] for pool in pools]
        if all(span["nominal"] is None for span in spans):
            continue
        title, unit = spans[0]["title"], spans[0]["unit"]
        bars = [
            ChartBar(pool["name"], ((pool["name"], span["nominal"] or 0.0),), _text(span), span["low"], span["high"])
            for pool, span in zip(pools, spans, strict=True)
        ]
        lacking = [p["name"] for p, span in zip(pools, spans, strict=True) if span["nominal"] is None]
        note = f"Not known of {', '.join(lacking)}: see what it stands on." if lacking else ""
        yield BarChart(
            key.replace("_", "-"), f"{title[0].upper()}{title[1:]}", UNITS.get(unit, unit), tuple(bars), note=note
        )


def _text(span: Document) -> str:
    if span["nominal"] is None:
        return "not known"
    text = format_number(span["nominal"])
    return (
        text
        if span["low"] == span["high"]
        else f"{text} ({format_number(span['low'])} to {format_number(span['high'])})"
    )


def measure_table(pools: Sequence[Document], ratios: Document | None = None) -> ViewTable:
    """Return every measure of every pool with its range, and its ratio to the first where there is one."""
    columns = [ViewColumn("measure"), ViewColumn("unit")]
    for place, pool in enumerate(pools):
        columns.append(ViewColumn(pool["name"], is_ranged=True))
        if place and ratios:
            columns.append(ViewColumn("ratio", is_ranged=True))
    rows = []
    for key, measure in pools[0]["measures"].items():
        spans = [pool["measures"][key] for pool in pools]
        if all(span["nominal"] is None for span in spans):
            continue
        cells: list[Cell] = [measure["title"], measure["unit"]]
        for place, span in enumerate(spans):
            cells.append(_span_cell(span, format_number))
            if place and ratios:
                cells.append(_span_cell(ratios[key][place], lambda ratio: f"{ratio:.2f}", ""))
        rows.append(tuple(cells))
    return ViewTable(
        "measures",
        "Nominal, with low and high" + ("; ratios to the first" if ratios else ""),
        tuple(columns),
        tuple(rows),
    )


def _span_cell(span: Document | None, spell: Callable[[float], str], missing: str = "not published") -> Cell:
    if span is None or span["nominal"] is None:
        return missing
    low, nominal, high = span["low"], span["nominal"], span["high"]
    words = "" if low == high else f"{spell(low)} to {spell(high)}"
    return Number(nominal, spell(nominal), low, high, words)


def assessment_sections(document: Document, pools: Sequence[Document]) -> tuple[ViewSection, ...]:
    """Return the sections that all pages of pools have: where time and money go, the plans, what it stands on."""
    model, job = document["model"], document["job"]
    work = f"{job['global_batch_size']:,} sequences of {job['seq_len']:,} tokens a step"
    tokens = f"; {format_count(job['tokens'])} tokens in all" if job["tokens"] else ""
    asked = [("Model", f"{model['name']}, {format_count(model['num_parameters'])} parameters; {model['source']}".strip("; ")),
             ("Work", work + tokens)]  # fmt: skip
    bills = [pool for pool in pools if pool["bill"]]
    money = (ViewSection("The bill of 10¹² useful tokens", (bill_chart(bills), bill_table(bills))),) if bills else ()
    return (
        ViewSection("Where the time goes", (step_chart(pools), loss_chart(pools))),
        *money,
        ViewSection("The plans", (plan_table(pools), power_table(pools))),
        ViewSection("What was asked", (Facts(tuple(asked)),)),
        _basis(document, pools),
    )


def step_chart(pools: Sequence[Document]) -> BarChart:
    """Return the shares of a step on each pool."""
    bars = []
    for pool in pools:
        step = pool["plan"]["step_time_s"]
        parts: dict[str, float] = {}
        for kind, seconds in pool["plan"]["breakdown_s"].items():
            name = LINKS if kind.endswith("_comm") else CLASSES.get(kind, kind)
            parts[name] = parts.get(name, 0.0) + seconds / step * 100
        bars.append(ChartBar(pool["name"], tuple(parts.items()), format_duration(step)))
    order = (*dict.fromkeys(CLASSES.values()), LINKS)
    used = tuple(name for name in order if any(dict(bar.parts).get(name) for bar in bars))
    return BarChart("steps", "Where a step goes", "% of the step", tuple(bars), legend=used)


def loss_chart(pools: Sequence[Document]) -> BarChart:
    """Return the time that failures take on each pool."""
    bars = [
        ChartBar(pool["name"], tuple((LOSSES.get(k, k), v * 100) for k, v in pool["goodput_losses"].items()),
            f"{sum(pool['goodput_losses'].values()):.1%}")
        for pool in pools
    ]  # fmt: skip
    return BarChart("losses", "Time lost to failures, checkpoints and stragglers", "% of wall-clock time", tuple(bars))


def bill_chart(pools: Sequence[Document]) -> BarChart:
    """Return the line items of each bill, stacked, with the range of the whole."""
    bars = []
    for pool in pools:
        cost = pool["measures"]["cost"]
        parts = tuple((name.replace("_", " "), item["nominal"] / KILO) for name, item in pool["bill"].items())
        bars.append(ChartBar(pool["name"], parts, _text(cost), cost["low"], cost["high"]))
    return BarChart("bill", "Cost of 10¹² useful tokens, by item", "thousand USD", tuple(bars))


def bill_table(pools: Sequence[Document]) -> ViewTable:
    """Return the line items of each bill."""
    names = list(dict.fromkeys(name for pool in pools for name in pool["bill"]))
    columns = (ViewColumn("item"), *(ViewColumn(pool["name"], "USD", is_ranged=True) for pool in pools))
    rows = [
        (name.replace("_", " "), *(_span_cell(pool["bill"].get(name), format_number, "") for pool in pools))
        for name in names
    ]
    return ViewTable("bill", "Line items, USD", columns, tuple(rows))


def plan_table(pools: Sequence[Document]) -> ViewTable:
    """Return the best plan of each pool."""
    columns = (
        ViewColumn("pool"),
        ViewColumn("precision"),
        ViewColumn("layout"),
        ViewColumn("step", "s", is_ranged=True),
        ViewColumn("MFU", "1"),
        ViewColumn("memory", "bytes"),
    )
    rows: list[tuple[Cell, ...]] = []
    for pool in pools:
        plan = pool["plan"]
        total = plan["memory_total_bytes"]
        step = _span_cell(plan["step_time_range_s"], format_duration)
        rows.append((pool["name"], pool["precision"], shorten_layout(plan["strategy"]), step,
                     Number(plan["mfu"], f"{plan['mfu']:.1%}"), Number(total, format_bytes(total))))  # fmt: skip
    return ViewTable("plans", "The best plan on each pool", columns, tuple(rows))


def power_table(pools: Sequence[Document]) -> ViewTable:
    """Return the power of each pool from the chip to the site."""
    named = {"chip_w": "a chip with its share of all else", "node_w": "a node", "cabinet_w": "a cabinet", "unit_w": "a unit",
             "busy_w": "all, busy, before cooling", "idle_w": "all, idle, before cooling",
             "site_w": "all, with cooling, at most"}  # fmt: skip
    columns = (ViewColumn("power of"), *(ViewColumn(pool["name"], "W", is_ranged=True) for pool in pools))
    rows = []
    for key, words in named.items():
        spans = [pool["power"][key] if pool["power"] else None for pool in pools]
        if any(spans):
            rows.append(
                (words, *(_span_cell(span, lambda watts: show(watts, "power"), "not published") for span in spans))
            )
    return ViewTable("power", "Power", columns, tuple(rows))


def _basis(document: Document, pools: Sequence[Document]) -> ViewSection:
    parts: list[Block] = [Facts(tuple(assumption_facts(document["assumptions"])))] if document["assumptions"] else []
    for place, pool in enumerate(pools, 1):
        parts.append(Facts(tuple(_pool_facts(pool))))
        parts += calibration_blocks(pool["calibration"], f"calibration-{place}")
    figures = _unique([figure for pool in pools for figure in (*pool["figures"], *_other_figures(pool))])
    parts.append(figure_table(figures))
    every = [*sources_of(figures), *(source for pool in pools for source in pool["price"]["publications"])]
    return ViewSection("What it stands on", (*parts, publications(every)))


def _pool_facts(pool: Document) -> Iterator[tuple[str, str]]:
    status = "" if pool["status"] == "shipping" else f" ({pool['status']})"
    yield "Pool", f"{pool['name']}: {pool['title']}{status}, {pool['chips_with_spares']:,} chips with spares"
    for tier in pool["tiers"]:
        speed = (
            show(tier["bandwidth_bytes_per_s"], "bandwidth") if tier["bandwidth_bytes_per_s"] else "bandwidth unknown"
        )
        yield "Tier", f"{tier['name']}: {tier['topology']} of {tier['span']:,} chips, {speed}"
    if pool["beyond_unit"]:
        yield "Beyond", pool["beyond_unit"]
    yield "Loss", pool["loss_in_words"]
    yield "Stands in", pool["site"]["title"]
    price = pool["price"]
    yield (
        "Price",
        f"{price['basis']}: {'; '.join(price['sources'])}" if price["basis"] != "unknown" else "not published",
    )
    if pool["power"]:
        yield "Power", BASES.get(pool["power"]["basis"], pool["power"]["basis"])
    yield from (("Unknown", text) for text in pool["unknown"])


def _other_figures(pool: Document) -> list[Document]:
    found: list[Document] = [
        {"of": pool["site"]["name"], "name": name, **figure} for name, figure in pool["site"]["figures"].items()
    ]
    if pool["power"]:
        found.append({"of": pool["chip"], "name": "power with its share of all else", **pool["power"]["figure"]})
    return found


def _unique(figures: Sequence[Document]) -> list[Document]:
    return list({(f["of"], f["name"], f["value"]): f for f in figures}.values())
