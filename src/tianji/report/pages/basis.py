"""What an answer stands on, as a section of its page: assumptions, calibration, figures and their publications."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tianji.report.pages.parts import Cell, Column, Facts, Number, Part, Publications, Section, Table

Document = Mapping[str, Any]
MEANING = {
    "physics": "a law or a datasheet",
    "measured": "a published micro-benchmark",
    "fitted": "fitted to whole runs",
}


def basis_section(document: Document, more: Sequence[Part] = (), figures: Sequence[Document] = ()) -> Section:
    """Return the section of a page on one pool; ``figures`` and ``more`` come on top of the document's own."""
    every = [*document["figures"], *figures]
    parts: list[Part] = [Facts(tuple(assumption_facts(document["assumptions"])))] if document["assumptions"] else []
    parts += [*calibration_parts(document["calibration"]), figure_table(every), *more]
    return Section("What it stands on", (*parts, publications(sources_of(every))))


def assumption_facts(assumptions: Iterable[str]) -> list[tuple[str, str]]:
    """Return a line for each thing that was not said and had to be assumed."""
    return [("Assumed", text) for text in assumptions]


def calibration_parts(calibration: Document, name: str = "calibration") -> list[Part]:
    """Return where the corrections to datasheet figures come from, and each of them with its evidence."""
    lines = [("Calibration", f"{calibration['name']} {calibration['date']}".strip())]
    if calibration["leans_on"]:
        lines.append(("The times are", calibration["leans_on"]))
    if calibration["note"]:
        lines.append(("Note", calibration["note"]))
    if calibration["software"]:
        factors = ", ".join(f"{trait} ({factor:.4g})" for trait, factor in calibration["software"].items())
        lines.append(("Software", f"{factors}: factors on time"))
    rows = tuple(_constant_row(key, constant) for key, constant in calibration["constants"].items())
    if not rows:
        return [Facts((*lines, ("Constants", "none: bare datasheet figures, so that times are a lower bound")))]
    columns = (
        Column("constant"),
        Column("value", "SI"),
        Column("kind of evidence"),
        Column("runs"),
        Column("evidence"),
    )
    title = f"Corrections to the datasheet of {calibration['of_chip']}"
    return [Facts(tuple(lines)), Table(name, title, columns, rows)]


def _constant_row(key: str, constant: Document) -> tuple[Cell, ...]:
    tier = constant["tier"]
    source = constant["source"] + (
        f" (taken over from {constant['inherited_from']})" if constant["inherited_from"] else ""
    )
    runs = Number(constant["rows"], f"{constant['rows']:,}") if constant["rows"] else ""
    value = Number(constant["value"], f"{constant['value']:.4g}")
    return (key.replace("_", " "), value, f"{tier}: {MEANING[tier]}" if tier in MEANING else tier, runs, source)


def figure_table(figures: Sequence[Document], name: str = "figures") -> Table:
    """Return every published figure that was used, with its confidence, its sources and what contradicts it."""
    columns = (
        Column("of"), Column("figure"), Column("value", "SI", is_ranged=True), Column("confidence"), Column("sources"),
        Column("notes"),
    )  # fmt: skip
    return Table(name, "Published figures used", columns, tuple(_figure_row(f) for f in figures))


def _figure_row(figure: Document) -> tuple[Cell, ...]:
    low, high = figure["low"], figure["high"]
    text = figure["text"] or f"{figure['value']:g}"
    span = ""
    if low is not None and high is not None and low != high and " to " not in text:
        span = f"{low / figure['value']:.0%} to {high / figure['value']:.0%} of it" if figure["value"] else ""
    notes = "; ".join(
        [figure["note"].rstrip("."), *(f"contradicted by {other}" for other in figure["contradicts"])]
    ).strip("; ")
    keys = ", ".join(source["key"] or source["title"] for source in figure["sources"])
    return (
        figure["of"],
        figure["name"],
        Number(figure["value"], text, low, high, span),
        figure["confidence"],
        keys,
        notes,
    )


def sources_of(figures: Iterable[Document]) -> list[Document]:
    """Return the publications of some figures."""
    return [source for figure in figures for source in figure["sources"]]


def publications(sources: Iterable[Document]) -> Publications:
    """Return publications, each once, by their keys."""
    found = {
        s["key"] or s["title"]: (s["key"], s["title"], s["url"], s.get("kind", "").replace("_", " ")) for s in sources
    }
    return Publications(tuple(sorted(found.values())))
