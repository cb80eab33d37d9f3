"""Tables of the catalog: what is known, and one entry with sources and contradictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tianji.catalog import load_calibration, load_chip, load_pool
from tianji.catalog.failures import load_failures
from tianji.catalog.models import describe_model
from tianji.formatting import format_count
from tianji.hardware import DTYPES, Chip, Figure, Tier
from tianji.hardware.constants import CONSTANT_NAMES
from tianji.report import catalog_places
from tianji.report.documents.catalog import KINDS, entry_document, sources_in
from tianji.report.render.terminal import labelled, plain_table
from tianji.units import GB, TERA, show

UNKNOWN = "?"
"""Stands in a table for a figure that nobody published."""


def print_list(console: Console, kind: str) -> None:
    """Print all entries of a kind with their main figures."""
    columns, row = _LISTS[kind]
    names = KINDS[kind]()
    title = _TITLES.get(kind, kind)
    table = plain_table(f"{len(names)} {title.removesuffix('s') if len(names) == 1 else title}{_UNITS.get(kind, '')}")
    for i, column in enumerate(columns):
        is_text = column in ("name", "title", "chip", "tiers", "status", "note", "run", "chips", "parts", "joint", "of")
        table.add_column(column, justify="left" if is_text else "right", no_wrap=i == 0)
    for name in names:
        table.add_row(name, *row(name))
    console.print(table)
    console.print(Text(f"`tianji catalog {kind} NAME` shows one with its sources; ? is not published.", style="dim"))


def print_entry(console: Console, kind: str, name: str) -> None:
    """Print one entry: every figure with its source, confidence and contradictions, and the publications."""
    _ENTRIES[kind](console, name)
    publications = [s for s in sources_in(entry_document(kind, name)["entry"]) if s.key]
    if not publications:
        return
    table = plain_table("Sources")
    table.add_column("key", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("publication", overflow="fold")
    for source in publications:
        table.add_row(source.key, source.kind, Text(f"{source.title}\n{source.url}".strip()))
    console.print()
    console.print(table)


# --- lists ----------------------------------------------------------------------------------------------------
def _chip_row(name: str) -> list[str]:
    chip = load_chip(name)
    rates = (chip.memory_bandwidth, chip.scale_up_bandwidth, chip.scale_out_bandwidth)
    cells = [_peak(chip, "bf16", "fp16"), _peak(chip, "fp8"), chip.memory.text if chip.memory else UNKNOWN]
    return [*cells, *(_scaled(f, GB) for f in rates), chip.status]


def _pool_row(name: str) -> list[str]:
    pool = load_pool(name)
    tiers = " > ".join(f"{t.span:,}" if t.span else "any" for t in pool.tiers)
    return [f"{pool.chips:,}", pool.chip.name, tiers, pool.status]


def _model_row(name: str) -> list[str]:
    entry = describe_model(name)
    model, run = entry.model, entry.training
    tokens = format_count(run["tokens"]) if run and run["tokens"] else UNKNOWN
    return [format_count(model.num_parameters), format_count(model.num_active_parameters), str(model.num_layers),
            f"{model.hidden_size:,}", tokens]  # fmt: skip


def _calibration_row(name: str) -> list[str]:
    found = load_calibration(name)
    return [
        found.date or "-",
        f"{len(found.chips)}",
        found.note or ("pure datasheet physics" if name == "none" else ""),
    ]


def _failure_row(name: str) -> list[str]:
    found = load_failures(name)
    low, high = found.node_rate.at("low"), found.node_rate.at("high")
    span = "" if low == high else f" ({low:.3g} to {high:.3g})"
    return [f"{found.node_rate.value:.3g}{span}", f"{found.node}", found.title]


_TITLES = {"prices": "price lists"}
_UNITS = {
    "failures": ": failures that stop a synchronous job, for one node in a day",
    "sites": ": electricity in USD and carbon in kg of CO₂, of 1 kWh",
    "chips": ": dense peaks in TFLOP/s, rates in GB/s, links one way, up and out of the pod",
}
_LISTS: dict[str, tuple[tuple[str, ...], Callable[[str], list[str]]]] = {
    "chips": (("name", "bf16", "fp8", "memory", "rate", "up", "out", "status"), _chip_row),
    "pools": (("name", "size", "chip", "tiers", "status"), _pool_row),
    "models": (("name", "parameters", "active", "layers", "hidden", "trained on"), _model_row),
    "calibrations": (("name", "date", "of chips", "note"), _calibration_row),
    "failures": (("name", "rate", "node", "title"), _failure_row),
    **catalog_places.ROWS,
}


# --- entries --------------------------------------------------------------------------------------------------
def _print_chip(console: Console, name: str) -> None:
    chip = load_chip(name)
    console.print(
        labelled([("Chip", f"{chip.name}: {chip.title}"), ("Maker", f"{chip.vendor}, {chip.ecosystem}, {chip.status}")])
    )
    console.print()
    console.print(_figure_table(_chip_figures(chip)))
    _print_notes(console, chip.notes)


def _chip_figures(chip: Chip) -> list[tuple[str, Figure | None]]:
    peaks = [(f"peak {d}", chip.peak[d]) for d in DTYPES if d in chip.peak]
    vectors = [(f"vector peak {d}", chip.vector_peak[d]) for d in DTYPES if d in chip.vector_peak]
    names = (
        "memory",
        "memory_bandwidth",
        "scale_up_bandwidth",
        "scale_out_bandwidth",
        "host_bandwidth",
        "power",
        "price",
    )
    return [*peaks, *vectors, *((n.replace("_", " "), getattr(chip, n)) for n in (*names, "year"))]


def _print_pool(console: Console, name: str) -> None:
    pool = load_pool(name)
    limit = f", at most {pool.max_chips:,}" if pool.max_chips else ""
    lines = [
        ("Pool", f"{pool.name}: {pool.title}"),
        ("Maker", f"{pool.vendor}, {pool.status}"),
        ("Chips", f"{pool.chips:,} x {pool.chip.name}{limit}; nodes of {pool.node}, sold by {pool.unit:,}"),
        ("Memory", f"{pool.usable_memory:.0%} of a chip's memory is usable"),
    ]
    lines += [("Beyond", pool.beyond)] if pool.beyond else []
    console.print(labelled([*lines, ("Tiers", "; ".join(_describe_tier(tier) for tier in pool.tiers))]))
    figures: list[tuple[str, Figure | None]] = []
    for tier in pool.tiers:
        figures += [(f"{tier.name} bandwidth", tier.bandwidth), (f"{tier.name} latency", tier.latency)]
    figures += [(n, getattr(pool, n)) for n in ("power", "price", "cabinets", "area")]
    console.print()
    console.print(_figure_table([*figures, *pool.facts]))
    _print_notes(console, pool.notes)


def _describe_tier(tier: Tier) -> str:
    size = f"{tier.span:,} chips" if tier.span else "any number of chips"
    ratio = f", oversubscribed {tier.oversubscription:g} to 1" if tier.oversubscription != 1 else ""
    return f"{tier.name}, {tier.topology} of {size}, {tier.kind}{ratio}"


def _print_model(console: Console, name: str) -> None:
    entry = describe_model(name)
    model = entry.model
    attention = (
        "MLA" if model.mla else f"{model.num_attention_heads} heads, {model.num_key_value_heads} key-value heads"
    )
    lines = [
        ("Model", f"{model.name}: {entry.title} ({model.family})"),
        (
            "Size",
            f"{format_count(model.num_parameters)} parameters, {format_count(model.num_active_parameters)} for a token",
        ),
        ("Shape", f"{model.num_layers} layers of {model.hidden_size:,}, {attention}, vocabulary {model.vocab_size:,}"),
    ]
    if model.moe:
        moe = model.moe
        lines.append(("Experts", f"{moe.num_experts}, {moe.top_k} for a token, each {moe.intermediate_size:,} wide; "
                                 f"{moe.num_leading_dense} leading dense layers"))  # fmt: skip
    if run := entry.training:
        known = {"sequences": run["global_batch_size"], "tokens each": run["seq_len"], "tokens in all": run["tokens"]}
        said = ", ".join(f"{format_count(v)} {k}" for k, v in known.items() if isinstance(v, (int, float)))
        lines.append(("Run", f"{said} ({run['source']}, {run['confidence']}) {run['note']}".strip()))
    if entry.note:
        lines.append(("Note", entry.note))
    console.print(labelled(lines))
    if entry.published:
        table = plain_table("Parameters, published and counted here")
        for column in ("what", "published", "counted", "difference", "source"):
            table.add_column(column, justify="left" if column in ("what", "source") else "right")
        for p in entry.published:
            parts = f"{p.what} (with {', '.join(p.counts) or 'layers only'})"
            table.add_row(parts, p.figure.text, f"{p.counted:,}", f"{p.difference:+.2%}", p.figure.source)
        console.print()
        console.print(table)
        others = [("contradicts", text) for p in entry.published for text in p.figure.alternatives]
        console.print(labelled(others, "yellow"))


def _print_calibration(console: Console, name: str) -> None:
    found = load_calibration(name)
    console.print(
        labelled([("Calibration", found.name), ("Date", found.date or "none"), ("Note", found.note or "none")])
    )
    for chip, constants in found.chips.items():
        table = plain_table(chip)
        for column in ("constant", "value", "tier", "rows", "source"):
            table.add_column(column, justify="right" if column in ("value", "rows") else "left")
        for constant in CONSTANT_NAMES:
            if proof := found.evidence.get(chip, {}).get(constant):
                origin = f"{proof.source} (from {proof.inherited_from})" if proof.inherited_from else proof.source
                value = f"{getattr(constants, constant):.4g}"
                table.add_row(constant, value, proof.tier, str(proof.rows or ""), origin)
        console.print()
        console.print(table)
        for kind, spread in found.spreads.get(chip, {}).items():
            says = f"{spread.low:.2f} to {spread.high:.2f} of nominal, {spread.basis}"
            console.print(f"80 % range of step times where constants are sure, {kind}: {says}")


def _print_failures(console: Console, name: str) -> None:
    found = load_failures(name)
    lines = [("Failures", f"{found.name}: {found.title}"), ("Node", f"{found.node} chips")]
    lines += [("Of chips", ", ".join(found.chips))] if found.chips else []
    console.print(labelled(lines))
    console.print()
    figures = [(f.replace("_", " "), getattr(found, f)) for f in found.__dataclass_fields__]
    console.print(_figure_table([(label, f) for label, f in figures if isinstance(f, Figure)]))
    table = plain_table("Recovery ladder: from a failure until training could go on, loading apart")
    for column in ("rung", "detection", "restart", "source"):
        table.add_column(column, justify="left" if column in ("rung", "source") else "right")
    for rung in found.rungs:
        table.add_row(
            rung.name, rung.detection.text, rung.restart.text, f"{rung.detection.source}; {rung.restart.source}"
        )
    console.print()
    console.print(table)
    table = plain_table(f"Causes of {found.events:,.0f} failures")
    for column in ("cause", "component", "grows with", "count", "source"):
        table.add_column(column, justify="right" if column == "count" else "left")
    for cause in found.causes:
        table.add_row(cause.name, cause.component, f"{cause.per}s", f"{cause.count.value:,.0f}", cause.count.source)
    console.print()
    console.print(table)
    _print_notes(console, found.notes)


_ENTRIES: dict[str, Callable[[Console, str], None]] = {
    "chips": _print_chip, "pools": _print_pool, "models": _print_model, "calibrations": _print_calibration,
    "failures": _print_failures, **catalog_places.ENTRIES,
}  # fmt: skip


# --- figures --------------------------------------------------------------------------------------------------
def _figure_table(figures: Iterable[tuple[str, Figure | None]]) -> Table:
    table = plain_table("Figures")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("confidence", no_wrap=True)
    table.add_column("source and note")
    for name, figure in figures:
        if figure is None:
            table.add_row(name, UNKNOWN, "unknown", "not published", style="dim")
            continue
        span = "" if figure.low is None and figure.high is None else _span(figure)
        table.add_row(name, figure.text + span, figure.confidence, Text(f"{figure.source}. {figure.note}".strip(" .")))
        for text in figure.alternatives:
            table.add_row("", "", "contradicts", Text(text, style="yellow"))
    return table


def _span(figure: Figure) -> str:
    dimension = next((d for d in ("bandwidth", "bytes") if figure.text.endswith("B/s") == (d == "bandwidth")), "bytes")
    if not figure.text.endswith(("B/s", "B")) or " to " in figure.text:
        return ""
    low, high = figure.low or figure.value, figure.high or figure.value
    return f" ({show(low, dimension)} to {show(high, dimension)})"


def _peak(chip: Chip, *dtypes: str) -> str:
    found = next((chip.peak[d] for d in dtypes if d in chip.peak), None)
    return _scaled(found, TERA)


def _scaled(figure: Figure | None, unit: float) -> str:
    return UNKNOWN if figure is None else f"{figure.value / unit:,.0f}"


def _print_notes(console: Console, notes: Iterable[Any]) -> None:
    for note in notes:
        console.print()
        console.print(Text(f"Note: {note}"))
