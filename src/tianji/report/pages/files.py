"""A page as files: the document itself, its tables as CSV, its plots as SVG and PNG."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from tianji.report.pages.parts import Cell, Column, Number, Table


def write_csv(table: Table) -> str:
    """Return a table as CSV, with the whole values in the units that the heads name."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([head for column in table.columns for head in _heads(column)])
    for row in table.rows:
        writer.writerow([field for cell, column in zip(row, table.columns, strict=True) for field in _fields(cell, column)])
    return text.getvalue()


def _heads(column: Column) -> Iterator[str]:
    unit = f" ({column.unit})" if column.unit else ""
    yield column.title + unit
    if column.is_ranged:
        yield f"{column.title}, low{unit}"
        yield f"{column.title}, high{unit}"


def _fields(cell: Cell, column: Column) -> Iterator[str]:
    if not isinstance(cell, Number):
        yield cell
        if column.is_ranged:
            yield from ("", "")
        return
    yield repr(cell.value)
    if column.is_ranged:
        for end in (cell.low, cell.high):
            yield "" if end is None else repr(end)
