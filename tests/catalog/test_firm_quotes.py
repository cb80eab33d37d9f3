"""Firm quotes: read with their validity, taken for pools that are as large as they ask."""

from datetime import date
from pathlib import Path

import pytest

from tianji.catalog import find_firm_quote, load_firm_quotes, load_pool
from tianji.errors import FormatError, UnknownNameError

TODAY = date(2026, 12, 1)
QUOTE = """[[quotes]]
of = "{of}"
item = "{item}"
amount = 12.0
currency = "CNY"
date = "2026-11-20"
valid_until = "{until}"
volume = {volume}
"""


def write(folder: Path, of: str = "h800", item: str = "rent", until: str = "2027-03-31", volume: int = 1) -> Path:
    path = folder / "quotes.toml"
    path.write_text(QUOTE.format(of=of, item=item, until=until, volume=volume))
    return path


def test_a_quote_is_taken_for_as_many_chips_as_it_asks(tmp_path: Path) -> None:
    quotes = load_firm_quotes(write(tmp_path, volume=1024), TODAY)
    assert find_firm_quote(quotes, load_pool("hgx-h800", 1024), "rent") == quotes[0]
    assert find_firm_quote(quotes, load_pool("hgx-h800", 512), "rent") is None
    assert find_firm_quote(quotes, load_pool("hgx-h100", 1024), "rent") is None
    assert quotes[0].is_short_of(load_pool("hgx-h800", 512))


def test_the_volume_of_a_unit_is_in_units(tmp_path: Path) -> None:
    quotes = load_firm_quotes(write(tmp_path, "cloudmatrix384", "unit", volume=2), TODAY)
    assert find_firm_quote(quotes, load_pool("cloudmatrix384", 384), "unit") is None
    assert find_firm_quote(quotes, load_pool("cloudmatrix384", 385), "unit") == quotes[0]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"until": "2026-11-30"}, FormatError, "valid until 2026-11-30 and today is 2026-12-01"),
        ({"until": "soon"}, FormatError, "expected a day"),
        ({"of": "h801"}, UnknownNameError, "h801"),
        ({"of": "h800", "item": "unit"}, UnknownNameError, "unknown pool"),
        ({"item": "lease"}, FormatError, "lease"),
    ],
)
def test_what_cannot_be_used_is_refused(
    changes: dict[str, str], error: type[Exception], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        load_firm_quotes(write(tmp_path, **changes), TODAY)  # type: ignore[arg-type]


def test_a_file_without_a_quote_and_one_with_the_same_twice_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text(path.read_text() * 2)
    with pytest.raises(FormatError, match="two quotes"):
        load_firm_quotes(path, TODAY)
    path.write_text("")
    with pytest.raises(FormatError, match="no quote"):
        load_firm_quotes(path, TODAY)
