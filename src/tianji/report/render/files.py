"""A view as files: one page, its tables as CSV, its charts as SVG and PNG."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tianji.errors import InputError, MissingExtraError
from tianji.formatting import count_noun
from tianji.parallel.plan_file import write_text
from tianji.report.charts import Chart
from tianji.report.render.csv import write_csv
from tianji.report.render.html.page import write_html
from tianji.report.render.markup import to_xml
from tianji.report.render.svg.drawing import draw_chart
from tianji.report.view import View, ViewTable


def write_page(view: View, path: str, command: str) -> str:
    """Write a view as one HTML document, and return what was done in words.

    Raises InputError when the file cannot be written.
    """
    write_text(path, write_html(view, command))
    return f"The page is in {path}."


def write_plots(charts: Sequence[Chart], folder: str) -> str:
    """Write every chart as SVG and, where Matplotlib is installed, as PNG; return what was done in words.

    Raises InputError when a file cannot be written.
    """
    if not charts:
        return f"There is no plot in this answer: {folder} is left as it is."
    place = _make(folder)
    for chart in charts:
        write_text(place / f"{chart.name}.svg", to_xml(draw_chart(chart, alone=True)))
    try:
        from tianji.report.render.png import write_picture
    except ImportError:
        return f"{_are(len(charts), 'plot')} in {folder} as SVG; for PNG {MissingExtraError('plot', 'Matplotlib')}"
    for chart in charts:
        write_picture(chart, place / f"{chart.name}.png")
    return f"{_are(len(charts), 'plot')} in {folder}, as SVG and PNG."


def write_tables(tables: Sequence[ViewTable], folder: str) -> str:
    """Write every table as CSV, and return what was done in words.

    Raises InputError when a file cannot be written.
    """
    place = _make(folder)
    for table in tables:
        write_text(place / f"{table.name}.csv", write_csv(table))
    return f"{_are(len(tables), 'table')} in {folder}, as CSV."


def _are(number: int, noun: str) -> str:
    return f"{count_noun(number, noun)} {'is' if number == 1 else 'are'}"


def find_folder(path: str) -> Path:
    """Return the folder that files go to; it need not be there yet.

    Raises InputError when no file can be written into it.
    """
    folder = Path(os.path.realpath(path)) if path and "\0" not in path else None
    if folder is None or (os.path.exists(folder) and not os.path.isdir(folder)):
        raise InputError(f"{path!r}: expected the name of a folder, or of one to be made")
    there = next(parent for parent in (folder, *folder.parents) if os.path.exists(parent))
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
