"""A table as CSV: whole values, in the units that the heads name."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from tianji.report.view import Cell, Number, ViewColumn, ViewTable


def write_csv(table: ViewTable) -> str:
    """Return a table as CSV, with the whole values in the units that the heads name."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([head for column in table.columns for head in _heads(column)])
    for row in table.rows:
        writer.writerow(
            [field for cell, column in zip(row, table.columns, strict=True) for field in _fields(cell, column)]
        )
    return text.getvalue()


def _heads(column: ViewColumn) -> Iterator[str]:
    unit = f" ({column.unit})" if column.unit else ""
    yield column.title + unit
    if column.is_ranged:
        yield f"{column.title}, low{unit}"
        yield f"{column.title}, high{unit}"


def _fields(cell: Cell, column: ViewColumn) -> Iterator[str]:
    if not isinstance(cell, Number):
        yield cell
        if column.is_ranged:
            yield from ("", "")
        return
    yield repr(cell.value)
    if column.is_ranged:
        for end in (cell.low, cell.high):
            yield "" if end is None else repr(end)
