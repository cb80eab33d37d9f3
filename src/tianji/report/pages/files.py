"""A page as files: the document itself, its tables as CSV, its plots as SVG and PNG."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tianji.errors import InputError, MissingExtraError
from tianji.parallel.plan_file import write_text
from tianji.report.pages.charts import Chart
from tianji.report.pages.drawing import draw_chart
from tianji.report.pages.frame import write_html
from tianji.report.pages.markup import to_xml
from tianji.report.pages.parts import Cell, Column, Number, Page, Table


def write_page(page: Page, path: str, command: str) -> str:
    """Write a page as one HTML document, and return what was done in words.

    Raises InputError when the file cannot be written.
    """
    write_text(path, write_html(page, command))
    return f"The page is in {path}."


def write_plots(charts: Sequence[Chart], folder: str) -> str:
    """Write every chart as SVG and, where Matplotlib is installed, as PNG; return what was done in words.

    Raises InputError when a file cannot be written.
    """
    place = _make(folder)
    for chart in charts:
        write_text(place / f"{chart.name}.svg", to_xml(draw_chart(chart, alone=True)))
    try:
        from tianji.report.pages.pictures import write_picture
    except ImportError:
        return f"{len(charts)} plots are in {folder} as SVG; for PNG {MissingExtraError('plot', 'Matplotlib')}"
    for chart in charts:
        write_picture(chart, place / f"{chart.name}.png")
    return f"{len(charts)} plots are in {folder}, as SVG and PNG."


def write_tables(tables: Sequence[Table], folder: str) -> str:
    """Write every table as CSV, and return what was done in words.

    Raises InputError when a file cannot be written.
    """
    place = _make(folder)
    for table in tables:
        write_text(place / f"{table.name}.csv", write_csv(table))
    return f"{len(tables)} tables are in {folder}, as CSV."


def find_folder(path: str) -> Path:
    """Return the folder that files go to; it need not be there yet.

    Raises InputError when no file can be written into it.
    """
    folder = Path(os.path.realpath(path)) if path and "\0" not in path else None
    if folder is None or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{path!r}: expected the name of a folder, or of one to be made")
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(there, os.W_OK):
        raise InputError(f"{path}: cannot be written: no permission to write in {there}")
    return folder


def _make(path: str) -> Path:
    folder = find_folder(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be made ({error.strerror or error})") from None
    return folder


def write_csv(table: Table) -> str:
    """Return a table as CSV, with the whole values in the units that the heads name."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([head for column in table.columns for head in _heads(column)])
    for row in table.rows:
        writer.writerow(
            [field for cell, column in zip(row, table.columns, strict=True) for field in _fields(cell, column)]
        )
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
