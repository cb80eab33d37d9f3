"""What an answer stands on, as a section of its own: calibration, figures and their publications."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tianji.formatting import format_percent
from tianji.report.documents.cited_figures import CitedFigureDocument, PublicationDocument
from tianji.report.documents.request import CalibrationDocument, ConstantDocument, RequestDocument
from tianji.report.view import Block, Cell, Facts, Number, Publications, ViewColumn, ViewSection, ViewTable
from tianji.report.views.request_summary import describe_tier

BASIS = "What it stands on"
"""Heading of the section."""
MEANING = {
    "physics": "a law or a datasheet",
    "measured": "a published micro-benchmark",
    "fitted": "fitted to whole runs",
}


def basis_section(
    document: RequestDocument, more: Sequence[Block] = (), figures: Sequence[CitedFigureDocument] = ()
) -> ViewSection:
    """Return the section of an answer on one pool; ``figures`` and ``more`` come on top of the document's own."""
    pool, source = document["pool"], document["model"]["source"]
    facts = Facts(
        (
            *((("Model", source),) if source else ()),
            ("Pool", pool["title"] or pool["name"]),
            *(("Tier", describe_tier(tier)) for tier in pool["tiers"]),
        )
    )
    every = [*document["figures"], *figures]
    blocks = (facts, *calibration_blocks(document["calibration"]), figure_table(every), *more)
    return ViewSection(BASIS, (*blocks, publications(sources_of(every))), is_detail=True)


def calibration_blocks(calibration: CalibrationDocument, name: str = "calibration") -> list[Block]:
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
        ViewColumn("constant"),
        ViewColumn("value", "SI"),
        ViewColumn("kind of evidence"),
        ViewColumn("runs"),
        ViewColumn("evidence"),
    )
    title = f"Corrections to the datasheet of {calibration['of_chip']}"
    return [Facts(tuple(lines)), ViewTable(name, title, columns, rows)]


def _constant_row(key: str, constant: ConstantDocument) -> tuple[Cell, ...]:
    tier = constant["tier"]
    source = constant["source"] + (
        f" (taken over from {constant['inherited_from']})" if constant["inherited_from"] else ""
    )
    runs = Number(constant["rows"], f"{constant['rows']:,}") if constant["rows"] else ""
    value = Number(constant["value"], f"{constant['value']:.4g}")
    return (key.replace("_", " "), value, f"{tier}: {MEANING[tier]}" if tier in MEANING else tier, runs, source)


def figure_table(figures: Sequence[CitedFigureDocument], name: str = "figures") -> ViewTable:
    """Return every published figure that was used, with its confidence, its sources and what contradicts it."""
    columns = (
        ViewColumn("of"),
        ViewColumn("figure"),
        ViewColumn("value", "SI", is_ranged=True),
        ViewColumn("confidence"),
        ViewColumn("sources"),
        ViewColumn("notes"),
    )
    return ViewTable(name, "Published figures used", columns, tuple(_figure_row(f) for f in figures))


def _figure_row(figure: CitedFigureDocument) -> tuple[Cell, ...]:
    low, high = figure["low"], figure["high"]
    text = figure["text"] or f"{figure['value']:g}"
    span = ""
    if low is not None and high is not None and low != high and " to " not in text:
        span = _ends_of(figure["value"], low, high)
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


def sources_of(figures: Iterable[CitedFigureDocument]) -> list[PublicationDocument]:
    """Return the publications of these figures."""
    return [source for figure in figures for source in figure["sources"]]


def publications(sources: Iterable[PublicationDocument]) -> Publications:
    """Return publications, each once, by their keys."""
    rows = {s["key"] or s["title"]: (s["key"], s["title"], s["url"], s["kind"].replace("_", " ")) for s in sources}
    return Publications(tuple(sorted(rows.values())))


def _ends_of(value: float, low: float, high: float) -> str:
    return f"{format_percent(low / value, 0)} to {format_percent(high / value, 0)} of it" if value else ""
