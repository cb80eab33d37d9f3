"""The catalog: unknown figures, contradictions, ranges and sources are seen, at any width."""

import pytest

from tianji.report.documents.catalog import KINDS, catalog_document, entry_document
from tianji.report.render.terminal import print_view
from tianji.report.view import Number
from tianji.report.views.catalog import UNKNOWN, catalog_view
from tianji.report.views.entry import entry_view

from ..conftest import console_of


def shown(kind: str, name: str = "", width: int = 100) -> str:
    console = console_of(width)
    print_view(console, entry_view(entry_document(kind, name)) if name else catalog_view(catalog_document([kind])))
    return console.export_text()


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("width", [80, 140])
def test_a_list_fits(kind: str, width: int) -> None:
    text = shown(kind, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "no room" not in text


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_entry_of_a_kind_has_a_view(kind: str) -> None:
    for name in KINDS[kind]():
        document = entry_document(kind, name)
        view = entry_view(document)
        assert name in view.title
        for table in view.tables():
            assert {len(row) for row in table.rows} <= {len(table.columns)}


def test_a_figure_that_nobody_published_is_a_question_mark() -> None:
    text = shown("chips", "tpu-8t")
    assert UNKNOWN in text
    assert "not published" in text


def test_addresses_of_sources_are_whole() -> None:
    assert "https://arxiv.org/abs/2412.19437" in shown("models", "deepseek-v3", 120)


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("mixtures", "a100-h100", "64 x h100-sxm of hgx-h100"),
        ("sites", "china", "0.056 to 0.112"),
        ("prices", "china", "11.3 CNY"),
    ],
)
def test_what_stands_around_pools_is_shown_with_its_source(kind: str, name: str, words: str) -> None:
    text = shown(kind, name, 120)
    assert words in text
    assert "Sources" in text


def test_the_numbers_of_a_chip_are_those_of_its_figures() -> None:
    document = entry_document("chips", "h200")
    (table,) = (t for t in entry_view(document).tables() if t.name == "figures")
    values = {row[0]: row[1].value for row in table.rows if isinstance(row[1], Number)}
    assert values["peak bf16"] == document["entry"]["peak"]["bf16"]["value"]
    assert values["memory"] == document["entry"]["memory"]["value"]
