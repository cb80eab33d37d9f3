"""Tables of a scan: findings, packages, what breaks, measured neighbours, areas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tianji.report.view import Block, Cell, ViewColumn, ViewTable
from tianji.report.views.cells import count_of

Document = Mapping[str, Any]
SHOWN = 20
"""Rows of a long table that a terminal shows."""


CHANGED = ("training path", "library", "examples")


def finding_table(name: str, findings: Iterable[Document], start: frozenset[str] | None = None) -> ViewTable:
    """Return findings as rows, with whether their files are to start with where those are given."""
    columns = (
        ViewColumn("place"),
        *(() if start is None else (ViewColumn("when", rank=1),)),
        ViewColumn("symbol"),
        ViewColumn("meaning"),
        ViewColumn("answer"),
        ViewColumn("mechanical", rank=2),
        ViewColumn("trap", rank=3),
        ViewColumn("source", rank=4),
    )
    rows = tuple(
        (
            f"{f['path']}:{f['line']}",
            *(() if start is None else ("to start" if f["path"] in start else "when used",)),
            f["symbol"].removeprefix("idiom:").removeprefix("env:"),
            f["meaning"],
            f["answer"],
            f["mechanical"],
            f["trap"] or "-",
            f["source"] or "-",
        )
        for f in findings
    )
    return ViewTable(name, "", columns, rows, most=SHOWN)


def package_table(packages: Iterable[Document]) -> ViewTable:
    """Return the packages, the hardest first."""
    columns = (
        ViewColumn("package"),
        ViewColumn("status"),
        ViewColumn("answer"),
        ViewColumn("from", rank=1),
        ViewColumn("asked for", rank=2),
        ViewColumn("imports", rank=1),
        ViewColumn("note", rank=3),
        ViewColumn("source", rank=4),
    )
    rows: list[tuple[Cell, ...]] = []
    for p in packages:
        note = p["note"] + (" (our judgement)" if p["is_inference"] else "")
        asked = p["clause"] or ("yes" if p["is_required"] else "optional")
        rows.append(
            (
                p["name"],
                p["status"],
                p["answer"] or "-",
                p["from_version"] or "-",
                asked,
                count_of(p["imports"]),
                note or "-",
                p["source"] or "-",
            )
        )
    return ViewTable("packages", "", columns, tuple(rows), most=SHOWN)


def breakage_table(steps: Iterable[Document]) -> ViewTable:
    """Return what breaks in the usual order, with the places of this repository."""
    columns = (
        ViewColumn("step"),
        ViewColumn("occurrences here"),
        ViewColumn("first places"),
        ViewColumn("what happens", rank=1),
    )
    rows = tuple((s["name"], count_of(s["occurrences"]), ", ".join(s["places"]) or "-", s["what"]) for s in steps)
    return ViewTable("breakage", "", columns, rows)


def neighbour_table(effort: Document) -> Iterable[Block]:
    """Yield the table of measured moves of like repositories, where there are any."""
    columns = (
        ViewColumn("repository"),
        ViewColumn("class"),
        ViewColumn("lines added"),
        ViewColumn("follow-ups in a year"),
        ViewColumn("duration", rank=1),
        ViewColumn("source", rank=2),
    )
    rows: list[tuple[Cell, ...]] = []
    for n in effort["neighbours"]:
        later = n["follow_ups_in_a_year"]
        rows.append(
            (
                n["project"],
                n["effort_class"],
                count_of(n["code_added"]),
                "-" if later is None else count_of(later),
                n["duration"],
                n["source"],
            )
        )
    yield ViewTable(
        "neighbours",
        "",
        columns,
        tuple(rows),
        note="Days open measure review as much as work; no number of days is given.",
    )


def area_table(areas: Iterable[Document]) -> ViewTable:
    """Return how findings divide over the areas of a repository."""
    columns = (
        ViewColumn("area"),
        ViewColumn("files"),
        ViewColumn("findings"),
        ViewColumn("to change"),
        ViewColumn("handled by a framework"),
    )
    rows = tuple(
        (g["area"], count_of(g["files"]), count_of(g["findings"]), count_of(g["to_change"]), count_of(g["handled"]))
        for g in areas
    )
    return ViewTable("areas", "", columns, rows)
