"""Terminal, page and CSV of one command show the same numbers in the same words, and all come from its document."""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest
from click.testing import CliRunner

from tianji.cli import main
from tianji.report.documents.comparison import ComparisonDocument, ReplacementDocument, SizingDocument
from tianji.report.documents.goodput import GoodputDocument
from tianji.report.documents.mixture import MixedPlanDocument
from tianji.report.documents.plan import PlanDocument
from tianji.report.documents.prediction import PredictionDocument
from tianji.report.present import view_of
from tianji.report.view import Cell, Number

from .reading import read_heads, read_tables

COMMANDS = {
    "prediction": "predict llama-3.1-8b hgx-h100 --chips 16 --batch 64 --tp 8 --tokens 1T",
    "plan": "plan llama-3.1-8b hgx-h100 --chips 16 --batch 64 --tokens 1T --explain tp=8",
    "mixture": "plan llama-3.1-8b a100-h100 --tokens 1T",
    "goodput": "goodput llama-3.1-8b hgx-h100 --chips 512 --batch 1024 --tp 4 --price '2 USD' --tokens 1T",
    "comparison": "compare llama-3.1-8b 64xhgx-h100 64xatlas-900-a2 64xatlas-950-superpod --tokens 1T",
    "replacement": "replace llama-3.1-8b --from 64xhgx-h100 --with atlas-900-a2 --batch 256 --points 4 --buy",
    "sizing": "size llama-3.1-8b hgx-h100 --batch 256 --tokens 1T --days 30 --budget 1000000",
}
"""One command for each document whose terminal is its view."""
TYPES = {
    "prediction": PredictionDocument, "plan": PlanDocument, "mixture": MixedPlanDocument, "goodput": GoodputDocument,
    "comparison": ComparisonDocument, "replacement": ReplacementDocument, "sizing": SizingDocument,
}  # fmt: skip
"""What each document promises: every key, none else."""
WIDE = "400"
RULE = re.compile("^─+$")
BARS = re.compile("[█▏▎▍▌▋▊▉]+")


@dataclass(frozen=True)
class Answer:
    """What one command gave, everywhere."""

    terminal: str
    page: str
    tables: Path
    document: dict[str, Any]


@pytest.fixture(scope="module", params=COMMANDS)
def answer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Answer:
    words, folder = shlex.split(COMMANDS[request.param]), tmp_path_factory.mktemp(request.param)
    files = ["--html", str(folder / "page.html"), "--csv", str(folder / "tables")]
    done = CliRunner().invoke(main, [*words, *files], env={"COLUMNS": WIDE}, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    again = CliRunner().invoke(main, [*words, "--json"], catch_exceptions=False)
    document = json.loads(again.stdout)
    assert document["document"] == request.param
    return Answer(done.stdout, (folder / "page.html").read_text(), folder / "tables", document)


def rows_of_terminal(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the cells of every row of every table."""
    is_inside = is_after_gap = False
    for line in text.splitlines():
        cells = tuple(cell for cell in re.split(r"\s{2,}", BARS.sub("", line).strip()) if cell)
        is_heading, is_after_gap = is_after_gap and len(cells) == 1, not cells
        if RULE.match(line.strip()):
            is_inside = True
        elif is_heading:
            is_inside = False
        elif not cells or line.startswith(("no room", "Ranges", "Memory of the fullest")) or " rows; " in line:
            is_inside = is_inside and not cells
        elif is_inside:
            yield cells


def test_every_row_of_the_terminal_stands_in_the_page(answer: Answer) -> None:
    rows = list(rows_of_terminal(answer.terminal))
    assert len(rows) > 5
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


def test_a_document_has_the_keys_that_its_type_promises(answer: Answer) -> None:
    assert not list(breaches(answer.document, TYPES[answer.document["document"]], "document"))


def breaches(value: Any, promised: Any, where: str) -> Iterator[str]:
    """Yield where a value of JSON is not what a type promises: a key too many or too few, another kind of value."""
    origin, parts = get_origin(promised), get_args(promised)
    if is_typeddict(promised):
        hints = get_type_hints(promised)
        if not isinstance(value, dict) or value.keys() != hints.keys():
            keys = value.keys() ^ hints.keys() if isinstance(value, dict) else value
            yield f"{where}: {promised.__name__} has other keys: {keys}"
            return
        for key, hint in hints.items():
            yield from breaches(value[key], hint, f"{where}.{key}")
    elif origin in (Union, UnionType):
        choices = [list(breaches(value, part, where)) for part in parts]
        if all(choices):
            yield from min(choices, key=len)
    elif origin is Literal:
        if value not in parts:
            yield f"{where}: {value!r} is none of {parts}"
    elif origin is list:
        for place, item in enumerate(value):
            yield from breaches(item, parts[0], f"{where}[{place}]")
    elif origin is dict:
        for key, item in value.items():
            yield from breaches(item, parts[1], f"{where}.{key}")
    elif promised is not Any and not isinstance(value, (int, float) if promised is float else promised or type(None)):
        yield f"{where}: {value!r:.40} is no {promised}"


def test_the_highlights_are_the_same_words_on_terminal_and_page(answer: Answer) -> None:
    shown = view_of(answer.document)
    assert shown.highlights
    for highlight in shown.highlights:
        assert highlight.number.words in answer.terminal
        for text in (highlight.label, highlight.number.text, highlight.number.span, highlight.note):
            assert text.replace("&", "&amp;") in answer.page
    for text in (shown.title, *shown.lead):
        assert " ".join(text.split()) in " ".join(answer.terminal.split())


def test_a_view_is_made_from_the_document_alone(answer: Answer) -> None:
    # The document went through JSON text: nothing but its keys can have come along.
    tables = {table.name: table for table in view_of(answer.document).tables()}
    texts = [[[_words(cell) for cell in row] for row in table.rows] for table in tables.values()]
    assert texts == [[[cell.text for cell in row] for row in table] for table in read_tables(answer.page)]


def _words(cell: Cell) -> str:
    return cell.words if isinstance(cell, Number) else cell
