"""Terminal, page and CSV of one command show the same numbers in the same words, and all come from its document."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from tianji.report.present import view_of
from tianji.report.render.terminal import print_view, shown_rows
from tianji.report.view import Cell, Number, ViewTable

from .commands import COMMANDS, run
from .reading import read_heads, read_tables

WIDE = 1000
WITHOUT_A_BOTTOM_LINE = (
    "catalog", "entry", "targets", "columns", "described_model", "operation_request", "pool_node", "simulation",
)  # fmt: skip
"""Lists of what there is, and orders that were carried out: nothing is asked that has an answer."""
RULE = re.compile("^─+$")
BARS = re.compile("[█▏▎▍▌▋▊▉]+")


@dataclass(frozen=True)
class Answer:
    """What one command gave, everywhere."""

    terminal: str
    page: str
    tables: Path
    document: dict[str, Any]


@pytest.fixture(scope="module", params=[name for name in COMMANDS if name != "export"])
def answer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """Return each answer but that of an export, whose stdout is the files themselves."""
    folder = tmp_path_factory.mktemp(request.param)
    files = ("--html", str(folder / "page.html"), "--csv", str(folder / "tables"))
    terminal = run(request.param, *files, columns=WIDE).stdout
    document = json.loads(run(request.param, "--json").stdout)
    return Answer(terminal, (folder / "page.html").read_text(), folder / "tables", document)


def rows_of_terminal(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the cells of every row of every table."""
    is_inside = False
    for line in text.splitlines():
        cells = tuple(cell for cell in re.split(r"\s{2,}", BARS.sub("", line).strip()) if cell)
        if RULE.match(line.strip()):
            is_inside = True
        elif not line:  # Between two tables; the line above a total has blanks.
            is_inside = False
        elif not cells or line.startswith(("no room", "Ranges", "Memory of the fullest")) or " rows; " in line:
            is_inside = is_inside and not cells
        elif is_inside:
            yield cells


def test_every_row_of_the_terminal_stands_in_the_page(answer: Answer) -> None:
    rows = list(rows_of_terminal(answer.terminal))
    assert rows or not list(read_tables(answer.page)), "a page has tables and the terminal none"
    page = {tuple(cell.text for cell in row if cell.text) for table in read_tables(answer.page) for row in table}
    page |= {tuple(filter(None, head)) for head in read_heads(answer.page)}
    strangers = [row for row in rows if row not in page and len(row) > 1]
    assert not strangers


def test_every_row_of_the_page_stands_in_a_file_with_whole_values(answer: Answer) -> None:
    files = [csv.reader(path.read_text().splitlines()) for path in answer.tables.glob("*.csv")]
    rows = [{*row, *map(_as_float, row)} for file in files for row in file]
    for table in read_tables(answer.page):
        for cells in table:
            wanted = {cell.text if cell.value is None else repr(cell.value) for cell in cells}
            assert any(wanted <= row for row in rows), cells


def _as_float(field: str) -> str:
    try:
        return repr(float(field))
    except ValueError:
        return field


def test_the_highlights_are_the_same_words_on_terminal_and_page(answer: Answer) -> None:
    shown = view_of(answer.document)
    assert shown.highlights or "model" not in answer.document
    for highlight in shown.highlights:
        assert highlight.number.words in answer.terminal
        for text in (highlight.label, highlight.number.text, highlight.number.span, highlight.note):
            assert text.replace("&", "&amp;") in answer.page
    for text in (shown.title, *shown.lead):
        assert " ".join(text.split()) in " ".join(answer.terminal.split())


def test_the_bottom_line_stands_first_in_the_same_words(answer: Answer) -> None:
    shown, document = view_of(answer.document), answer.document
    assert bool(shown.bottom) == (document["document"] not in WITHOUT_A_BOTTOM_LINE)
    if shown.bottom:
        assert len(shown.bottom) == 3
        assert answer.terminal.splitlines()[1:4] == list(shown.bottom)
        assert [p for p in re.findall('<p class="bottom">(.*?)</p>', answer.page)] == [
            line.replace("&", "&amp;") for line in shown.bottom
        ]
        assert shown.bottom[0].startswith(("Yes: ", "No: ", "Open: "))
        chance = document["bottom_line"]["chance"]
        if chance is not None:
            assert 0 <= chance <= 1
            assert re.search(r": (at least |over |under )?\d+ %\. ", shown.bottom[2])
        assert "hangs on " in shown.bottom[2]


def test_eighty_columns_hold_every_line_and_cut_no_number(answer: Answer) -> None:
    view, terminal = view_of(answer.document), io.StringIO()
    print_view(Console(file=terminal, width=80), view)
    text = terminal.getvalue()
    assert not [line for line in text.splitlines() if cell_len(line) > 80]
    assert "…" not in text and "no room for" not in text
    shown = [highlight.number for highlight in view.highlights]
    for section in view.sections:
        for table in section.blocks if not section.is_detail else ():
            if isinstance(table, ViewTable):
                shown += [c for row in shown_rows(table) for c in table.rows[row] if isinstance(c, Number)]
    for number in shown:
        assert number.text in text and all(end in text for end in number.span.split(" to "))


def test_a_view_is_made_from_the_document_alone(answer: Answer) -> None:
    # The document went through JSON text: nothing but its keys can have come along.
    tables = {table.name: table for table in view_of(answer.document).tables()}
    texts = [[[_words(cell) for cell in row] for row in table.rows] for table in tables.values()]
    assert texts == [[[cell.text for cell in row] for row in table] for table in read_tables(answer.page)]


def _words(cell: Cell) -> str:
    return cell.words if isinstance(cell, Number) else cell
