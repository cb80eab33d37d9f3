"""Tables of the catalog: unknown figures, contradictions and sources are seen."""

import pytest

from tianji.report.catalog_tables import UNKNOWN, print_entry, print_list
from tianji.report.documents.catalog import KINDS

from .conftest import console_of


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("width", [80, 140])
def test_a_list_fits(kind: str, width: int) -> None:
    console = console_of(width)
    print_list(console, kind)
    assert max(map(len, console.export_text().splitlines())) <= width


def test_a_figure_that_nobody_published_is_a_question_mark() -> None:
    console = console_of(100)
    print_entry(console, "chips", "tpu-8t")
    text = console.export_text()
    assert UNKNOWN in text
    assert "not published" in text


def test_addresses_of_sources_are_whole() -> None:
    console = console_of(100)
    print_entry(console, "models", "deepseek-v3")
    assert "https://arxiv.org/abs/2412.19437" in console.export_text()
