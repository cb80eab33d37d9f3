"""Mixtures, sites and price lists in the catalog."""

import pytest

from tianji.report.catalog_tables import print_entry

from .conftest import console_of


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("mixtures", "a100-h100", "64 x h100-sxm of hgx-h100"),
        ("sites", "china", "0.056 to 0.112"),
        ("prices", "china", "11.3 CNY"),
    ],
)
def test_what_stands_around_pools_is_shown_with_its_source(kind: str, name: str, told: str) -> None:
    console = console_of(120)
    print_entry(console, kind, name)
    text = console.export_text()
    assert told in text
    assert "Sources" in text
