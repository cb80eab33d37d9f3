"""What is shown of the columns of a table of measured runs."""

from __future__ import annotations

from itertools import groupby

from tianji.report.documents.columns import ColumnDocument, ColumnsDocument
from tianji.report.view import Cell, Highlight, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of

HEAD = (
    ViewColumn("column"),
    ViewColumn("meaning"),
    ViewColumn("type"),
    ViewColumn("unit", rank=2),
    ViewColumn("allowed words"),
    ViewColumn("example", rank=1),
    ViewColumn("an empty cell means", rank=3),
)
NEEDED = "needed"


def columns_view(document: ColumnsDocument) -> View:
    """Return the columns by group, and what each type holds."""
    columns = document["columns"]
    needed = [c["name"] for c in columns if c["empty"] == NEEDED]
    sometimes = [f"{c['name']} ({c['empty']})" for c in columns if (c["empty"] or "").startswith(f"{NEEDED} ")]
    lead = (
        "A table of measured runs is a file of comma-separated values whose first line names the columns.",
        "An empty cell means that nothing is stated. Columns that begin with as_published_ hold a publisher's words, not read.",
        f"Needed in every row: {', '.join(needed)}; the sizes of the model or its arch_key; a step time or tokens a second.",
        f"Needed in some: {'; '.join(sometimes)}. The first line must name id, too.",
    )
    highlights = (Highlight("columns", count_of(len(columns))), Highlight("needed in every row", count_of(len(needed))))
    sections = [
        ViewSection(title, (ViewTable(_file_name(title), "", HEAD, tuple(map(_row, members))),))
        for title, members in groupby(columns, key=lambda c: c["group"])
    ]
    kinds = ViewTable("types", "", (ViewColumn("type"), ViewColumn("a cell holds")), tuple(document["types"].items()))
    types = ViewSection("What a cell holds, by type", (kinds,))
    keys = "Or the name of a model that `tianji browse models` lists. " + ", ".join(document["architectures"])
    architectures = ViewSection("What arch_key may hold", (keys,))
    return View("Columns of a table of measured runs", lead, highlights, (*sections, types, architectures))


def _file_name(title: str) -> str:
    return title.lower().replace(" ", "-")


def _row(column: ColumnDocument) -> tuple[Cell, ...]:
    return (
        column["name"],
        column["meaning"],
        column["type"],
        column["unit"] or "",
        " ".join(column["words"]),
        column["example"] or "",
        column["empty"] or "",
    )
