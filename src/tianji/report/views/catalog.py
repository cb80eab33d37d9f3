"""The view of the catalog's lists: all entries of a kind with their main figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tianji.formatting import format_count, format_number
from tianji.report.documents.catalog import CatalogDocument, CatalogListDocument
from tianji.report.view import Cell, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import ranged
from tianji.units import GB, TERA

UNKNOWN = "?"
"""Stands for a figure that nobody published."""
Entry = Mapping[str, Any]
Field = tuple[ViewColumn, Callable[[Entry], Cell]]


def catalog_view(document: CatalogDocument) -> View:
    """Return the view of ``tianji browse`` and ``tianji browse KIND``."""
    return View("Catalog", (), (), tuple(map(_section, document["lists"])))


def _section(listed: CatalogListDocument) -> ViewSection:
    kind, entries = listed["kind"], listed["entries"]
    title = TITLES.get(kind, kind)
    heading = f"{len(entries)} {title.removesuffix('s') if len(entries) == 1 else title}"
    fields: tuple[Field, ...] = ((ViewColumn("name"), lambda entry: str(entry["name"])), *FIELDS[kind])
    rows = tuple(tuple(cell(entry) for _, cell in fields) for entry in entries)
    note = f"`tianji browse {kind} NAME` shows one with its sources; {UNKNOWN} is not published."
    units = (UNITS[kind],) if kind in UNITS else ()
    return ViewSection(heading, (*units, ViewTable(kind, "", tuple(column for column, _ in fields), rows, note)))


def _text(title: str, key: str) -> Field:
    return ViewColumn(title), lambda entry: UNKNOWN if entry[key] is None else str(entry[key])


def _number(title: str, key: str, form: Callable[[float], str], unit: str = "") -> Field:
    def cell(entry: Entry) -> Cell:
        return UNKNOWN if entry[key] is None else Number(entry[key], form(entry[key]))

    return ViewColumn(title, unit), cell


def _switch(name: str) -> Field:
    return ViewColumn(name), lambda entry: entry["switches"].get(name, UNKNOWN)


def _in(unit: float) -> Callable[[float], str]:
    return lambda value: f"{value / unit:,.0f}"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _spans(entry: Entry) -> str:
    return " > ".join(f"{span:,}" if span else "any" for span in entry["tier_spans"])


def _parts(entry: Entry) -> str:
    return " + ".join(f"{part['chips']:,} × {part['pool']}" for part in entry["parts"])


def _joint(entry: Entry) -> str:
    return ", ".join(filter(None, (entry["joint"], entry["joint_bandwidth"])))


def _rate(entry: Entry) -> Cell:
    return ranged(entry["node_failures_per_day"], lambda rate: f"{rate:.3g}")


TITLES = {"prices": "price lists", "software": "software stacks"}
UNITS = {
    "software": "Switches of the newest release where it is at home; `--software NAME@RELEASE` takes another.",
    "failures": "Failures that stop a synchronous job, for one node in a day.",
    "sites": "Electricity in USD and carbon in kg of CO₂, of 1 kWh.",
    "chips": "Dense peaks in TFLOP/s, rates in GB/s, links one way, up and out of the pod.",
}
FIELDS: dict[str, tuple[Field, ...]] = {
    "chips": (
        _number("bf16", "bf16_flops_per_s", _in(TERA), "FLOP/s"),
        _number("fp8", "fp8_flops_per_s", _in(TERA), "FLOP/s"),
        _text("memory", "memory"),
        _number("rate", "memory_bandwidth_bytes_per_s", _in(GB), "B/s"),
        _number("up", "scale_up_bytes_per_s", _in(GB), "B/s"),
        _number("out", "scale_out_bytes_per_s", _in(GB), "B/s"),
        _text("status", "status"),
    ),
    "pools": (
        _number("size", "chips", _whole),
        _text("chip", "chip"),
        (ViewColumn("tiers"), _spans),
        _text("status", "status"),
    ),
    "models": (
        _number("parameters", "num_parameters", format_count),
        _number("active", "num_active_parameters", format_count),
        _number("layers", "num_layers", _whole),
        _number("hidden", "hidden_size", _whole),
        _number("trained on", "trained_tokens", format_count),
    ),
    "calibrations": (_text("date", "date"), _number("of chips", "num_chips", _whole), _text("note", "note")),
    "failures": (
        (ViewColumn("rate", "1/day", is_ranged=True), _rate),
        _number("node", "node_chips", _whole),
        _text("title", "title"),
    ),
    "mixtures": (_number("all", "chips", _whole), (ViewColumn("parts"), _parts), (ViewColumn("joint"), _joint)),
    "sites": (
        _number("electricity", "electricity_usd_per_kwh", format_number, "USD"),
        _number("carbon", "carbon_kg_per_kwh", format_number, "kg"),
        _number("PUE air", "pue_air", format_number),
        _number("PUE liquid", "pue_liquid", format_number),
        _text("title", "title"),
    ),
    "prices": (
        _number("quotes", "num_quotes", _whole),
        (ViewColumn("of"), lambda entry: ", ".join(entry["chips"])),
    ),
    "software": (
        (ViewColumn("runs on"), lambda entry: ", ".join(entry["ecosystems"])),
        _text("newest release", "newest_release"),
        _switch("launch"),
        _switch("dispatcher"),
        _text("title", "title"),
    ),
}
"""The columns of each kind beside the name, and how a cell of each is made."""
