"""The view of one entry of the catalog: every figure with its source, what contradicts it, and the publications."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tianji.catalog.software import UNTOLD
from tianji.formatting import format_count, format_percent
from tianji.report.documents.catalog import EntryDocument
from tianji.report.view import Block, Cell, Facts, Number, Publications, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.catalog import UNKNOWN
from tianji.report.views.cells import count_of
from tianji.units import show

Fields = Mapping[str, Any]
Lines = list[tuple[str, str]]
CHIP_FIGURES = ("memory", "memory_bandwidth", "scale_up_bandwidth", "scale_out_bandwidth", "host_bandwidth",
                "host_memory", "host_memory_bandwidth", "power", "price", "year")  # fmt: skip
SITE_UNITS = {"exchange": "CNY for a USD", "electricity": "USD a kWh", "carbon": "kg of CO₂ a kWh"}
"""Of the figures of a site; those of cooling are ratios."""


def entry_view(document: EntryDocument) -> View:
    """Return the view of ``tianji browse KIND NAME``."""
    facts, sections = _KINDS[document["kind"]](document["name"], document["entry"])
    notes = document["entry"].get("notes", ()) if isinstance(document["entry"], dict) else ()
    noted = (ViewSection("Notes", tuple(notes)),) if notes else ()
    title = f"Catalog, {document['kind']}: {document['name']}"
    brief = ViewSection("In brief", (Facts(tuple(facts)),))
    return View(title, (), (), (brief, *sections, *noted, *_sources(document)))


def _sources(document: EntryDocument) -> Iterator[ViewSection]:
    rows = [(s["key"], s["title"], s["url"], s["kind"]) for s in document["sources"].values() if s["key"]]
    if rows:
        yield ViewSection("Sources", (Publications(tuple(rows)),))


# --- figures --------------------------------------------------------------------------------------------------
def figures_of(figures: Iterable[tuple[str, Fields | None, str]]) -> ViewSection:
    """Return figures, each a name, the figure or None and the unit that its text lacks."""
    columns = (ViewColumn("figure"), ViewColumn("value", "SI", is_ranged=True), ViewColumn("confidence"),
               ViewColumn("source and note"))  # fmt: skip
    return ViewSection("Figures", (ViewTable("figures", "", columns, tuple(_rows(figures))),))


def _rows(figures: Iterable[tuple[str, Fields | None, str]]) -> Iterator[tuple[Cell, ...]]:
    for name, figure, unit in figures:
        if figure is None:
            yield (name, UNKNOWN, "unknown", "not published")
            continue
        yield (name, _value(figure, unit), figure["confidence"], _cited(figure))
        yield from (("", "", "contradicts", text) for text in figure["alternatives"])


def _value(figure: Fields, unit: str) -> Number:
    value, text = figure["value"], figure["text"]
    low, high = (value if figure[end] is None else figure[end] for end in ("low", "high"))
    shown = f"{value:g} {unit}".strip() if unit else text or f"{value:g}"
    if low == high or " to " in shown:
        return Number(value, shown, figure["low"], figure["high"])
    form = _form(text) if not unit else "{:g}".format
    return Number(value, shown, low, high, f"{form(low)} to {form(high)}")


def _form(text: str) -> Callable[[float], str]:
    """Return the words for the ends of a figure whose own text is this."""
    if text.endswith("B/s"):
        return lambda value: show(value, "bandwidth")
    if text.endswith("B"):
        return lambda value: show(value, "bytes")
    if text.endswith((" s", " min", " h", " d")):
        return lambda value: show(value, "time")
    return "{:g}".format


def _cited(figure: Fields) -> str:
    return f"{figure['source']}. {figure['note']}".strip(" .")


def _plain(figures: Iterable[tuple[str, Fields | None]]) -> ViewSection:
    return figures_of((name, figure, "") for name, figure in figures)


def _is_figure(value: object) -> bool:
    return isinstance(value, dict) and {"value", "confidence", "source"} <= value.keys()


# --- kinds ----------------------------------------------------------------------------------------------------
def _chip(name: str, chip: Fields) -> tuple[Lines, list[ViewSection]]:
    facts = [
        ("Chip", f"{name}: {chip['title']}"),
        ("Maker", f"{chip['vendor']}, {chip['ecosystem']}, {chip['status']}"),
    ]
    figures = [(f"peak {dtype}", figure) for dtype, figure in chip["peak"].items()]
    figures += [(f"vector peak {dtype}", figure) for dtype, figure in chip["vector_peak"].items()]
    figures += [(key.replace("_", " "), chip[key]) for key in CHIP_FIGURES]
    return facts, [_plain(figures)]


def _pool(name: str, pool: Fields) -> tuple[Lines, list[ViewSection]]:
    limit = f", at most {pool['max_chips']:,}" if pool["max_chips"] else ""
    sold = f"{pool['chips']:,} x {pool['chip']['name']}{limit}; nodes of {pool['node']}, sold by {pool['unit']:,}"
    facts = [
        ("Pool", f"{name}: {pool['title']}"),
        ("Maker", f"{pool['vendor']}, {pool['status']}"),
        ("Chips", sold),
        ("Memory", f"{format_percent(pool['usable_memory'])} of a chip's memory is usable"),
        *((("Beyond", pool["beyond"]),) if pool["beyond"] else ()),
        ("Tiers", "; ".join(map(_tier, pool["tiers"]))),
    ]
    figures = [(f"{t['name']} {key}", t[key]) for t in pool["tiers"] for key in ("bandwidth", "latency")]
    figures += [(key, pool[key]) for key in ("power", "price", "cabinets", "area", "optics")]
    return facts, [_plain([*figures, *map(tuple, (*pool["rents"], *pool["facts"]))])]


def _tier(tier: Fields) -> str:
    size = f"{tier['span']:,} chips" if tier["span"] else "any number of chips"
    over = tier["oversubscription"]
    ratio = f", oversubscribed {over:g} to 1" if over != 1 else ""
    return f"{tier['name']}, {tier['topology']} of {size}, {tier['kind']}{ratio}"


def _model(name: str, entry: Fields) -> tuple[Lines, list[ViewSection]]:
    model, moe = entry["config"], entry["config"]["moe"]
    heads = f"{model['num_attention_heads']} heads, {model['num_key_value_heads']} key-value heads"
    attention = "MLA" if model["mla"] else heads
    shape = f"{model['num_layers']} layers of {model['hidden_size']:,}, {attention}, vocabulary {model['vocab_size']:,}"
    sizes = f"{format_count(entry['num_parameters'])} parameters, {format_count(entry['num_active_parameters'])} for a token"
    facts = [("Model", f"{name}: {entry['title']} ({model['family']})"), ("Size", sizes), ("Shape", shape)]
    if moe:
        experts = f"{moe['num_experts']}, {moe['top_k']} for a token, each {moe['intermediate_size']:,} wide"
        leading = "" if entry["layers"] else f"; {moe['num_leading_dense']} leading dense layers"
        facts.append(("Experts", experts + leading))
    if entry["layers"]:
        facts.append(("Layers", ", ".join(f"{count} {title}" for title, count in entry["layers"].items())))
    if model["remark"]:
        facts.append(("File", model["remark"]))
    if run := entry["training"]:
        counts = {"sequences": run["global_batch_size"], "tokens each": run["seq_len"], "tokens in all": run["tokens"]}
        known = ", ".join(f"{format_count(v)} {k}" for k, v in counts.items() if isinstance(v, (int, float)))
        facts.append(("Run", f"{known} ({run['source']}, {run['confidence']}) {run['note']}".strip()))
    facts += [("Note", entry["note"])] if entry["note"] else []
    return facts, [_published(entry["published"])] if entry["published"] else []


def _published(published: list[Fields]) -> ViewSection:
    columns = (ViewColumn("what"), ViewColumn("published"), ViewColumn("counted"), ViewColumn("difference", "1"),
               ViewColumn("source"))  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for p in published:
        figure = p["figure"]
        what = f"{p['what']} (with {', '.join(p['counts']) or 'layers only'})"
        difference = Number(p["difference"], f"{p['difference'] * 100:+.2f} %")
        rows.append((what, Number(figure["value"], figure["text"]), Number(p["counted"], f"{p['counted']:,}"), difference,
                     figure["source"]))  # fmt: skip
        rows += [("contradicts", "", "", "", text) for text in figure["alternatives"]]
    return ViewSection("Parameters, published and counted here", (ViewTable("parameters", "", columns, tuple(rows)),))


def _calibration(name: str, entry: Fields) -> tuple[Lines, list[ViewSection]]:
    facts = [("Calibration", name), ("Date", entry["date"] or "none"), ("Note", entry["note"] or "none")]
    return facts, [_constants(entry, chip) for chip in entry["chips"]]


def _constants(entry: Fields, chip: str) -> ViewSection:
    columns = (ViewColumn("constant"), ViewColumn("value", "SI"), ViewColumn("tier"), ViewColumn("rows"),
               ViewColumn("source"))  # fmt: skip
    rows = []
    for constant, proof in entry["evidence"].get(chip, {}).items():
        heir = f" (from {proof['inherited_from']})" if proof["inherited_from"] else ""
        value = entry["chips"][chip][constant]
        count: Cell = Number(proof["rows"], f"{proof['rows']:,}") if proof["rows"] else ""
        rows.append((constant, Number(value, f"{value:.4g}"), proof["tier"], count, proof["source"] + heir))
    spreads: list[Block] = [
        f"80 % range of step times where constants are sure, {kind}: {spread['low']:.2f} to {spread['high']:.2f} of"
        f" nominal, {spread['basis']}."
        for kind, spread in entry["spreads"].get(chip, {}).items()
    ]
    return ViewSection(chip, (ViewTable(f"constants-{chip}", "", columns, tuple(rows)), *spreads))


def _failures(name: str, entry: Fields) -> tuple[Lines, list[ViewSection]]:
    facts = [("Failures", f"{name}: {entry['title']}"), ("Node", f"{entry['node']} chips")]
    facts += [("Of chips", ", ".join(entry["chips"]))] if entry["chips"] else []
    figures = [(key.replace("_", " "), value) for key, value in entry.items() if _is_figure(value)]
    return facts, [_plain(figures), _ladder(entry["rungs"]), _causes(entry["causes"])]


def _ladder(rungs: list[Fields]) -> ViewSection:
    columns = (ViewColumn("rung"), ViewColumn("detection", "s"), ViewColumn("restart", "s"), ViewColumn("source"))
    rows = tuple(
        (rung["name"], _value(rung["detection"], ""), _value(rung["restart"], ""),
         f"{rung['detection']['source']}; {rung['restart']['source']}")
        for rung in rungs
    )  # fmt: skip
    title = "Recovery ladder: from a failure until training could go on, loading apart"
    return ViewSection(title, (ViewTable("ladder", "", columns, rows),))


def _causes(causes: list[Fields]) -> ViewSection:
    columns = (ViewColumn("cause"), ViewColumn("component"), ViewColumn("grows with"), ViewColumn("count"),
               ViewColumn("source"))  # fmt: skip
    rows = tuple(
        (
            cause["name"],
            cause["component"],
            f"{cause['per']}s",
            count_of(cause["count"]["value"]),
            cause["count"]["source"],
        )
        for cause in causes
    )
    total = sum(cause["count"]["value"] for cause in causes)
    return ViewSection(f"Causes of {total:,.0f} failures", (ViewTable("causes", "", columns, rows),))


def _mixture(name: str, entry: Fields) -> tuple[Lines, list[ViewSection]]:
    parts = [("Part", f"{part['chips']:,} x {part['chip']['name']} of {part['name']}") for part in entry["parts"]]
    joint = entry["joint"]
    return [("Mixture", f"{name}: {entry['title']}"), *parts], [
        _plain([(f"{joint['name']} bandwidth", joint["bandwidth"])])
    ]


def _site(name: str, entry: Fields) -> tuple[Lines, list[ViewSection]]:
    home = ", ".join(entry["vendors"]) or "all others"
    figures = [(k.replace("_", " "), v, SITE_UNITS.get(k, "")) for k, v in entry.items() if _is_figure(v)]
    return [("Site", f"{name}: {entry['title']}"), ("Home of", home)], [figures_of(figures)]


def _prices(name: str, quotes: Any) -> tuple[Lines, list[ViewSection]]:
    columns = (ViewColumn("chip"), ViewColumn("item"), ViewColumn("amount"), ViewColumn("date"), ViewColumn("market"),
               ViewColumn("source and note"))  # fmt: skip
    rows = tuple(
        (q["chip"], q["item"], Number(q["amount"]["value"], f"{q['amount']['value']:g} {q['currency']}"), q["date"], q["market"],
         f"{q['amount']['source']}, {q['amount']['confidence']}. {q['amount']['note']}".strip(" ."))
        for q in quotes
    )  # fmt: skip
    table = ViewTable("prices", "", columns, rows)
    return [("Prices", name)], [ViewSection("A rent is of one chip-hour, a purchase of one chip", (table,))]


def _software(name: str, entry: Fields) -> tuple[Lines, list[ViewSection]]:
    facts = [("Software", f"{name}: {entry['title']}"), ("Runs on", ", ".join(entry["ecosystems"]))]
    columns = (ViewColumn("from release"), ViewColumn("switch"), ViewColumn("is"), ViewColumn("source"))
    rows: list[tuple[Cell, ...]] = []
    for since in entry["history"]:
        release = "any" if since["release"] == UNTOLD else since["release"]
        release += f" ({since['ecosystem']})" if since["ecosystem"] else ""
        changed = list(since["switches"].items()) or [("", "as before")]
        rows += [(release, *pair, since["source"] if i == 0 else "") for i, pair in enumerate(changed)]
    note = f"What a later release leaves out stays. `--software {name}@RELEASE --with SWITCH --without SWITCH` says it."
    return facts, [ViewSection("Switches", (ViewTable("switches", "", columns, tuple(rows), note),))]


_KINDS: dict[str, Callable[[str, Any], tuple[Lines, list[ViewSection]]]] = {
    "chips": _chip, "pools": _pool, "models": _model, "calibrations": _calibration, "failures": _failures,
    "mixtures": _mixture, "sites": _site, "prices": _prices, "software": _software,
}  # fmt: skip
