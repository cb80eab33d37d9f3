"""What chips were quoted at: rents and purchase prices, each with its currency, date and market."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

from tianji.catalog.entries import CatalogEntry, find_entry, list_entries, read_entry
from tianji.catalog.reader import TomlTable
from tianji.hardware import Figure

KIND = "prices"
ITEMS = ("rent", "purchase")
CURRENCIES = ("USD", "CNY")
AMOUNT = ("count", 1e-6, 10.0**12)


@dataclass(frozen=True, slots=True)
class Quote:
    """One price that somebody asked or paid. ``amount`` is in ``currency``: of one chip-hour for a rent, else of one chip."""

    chip: str
    item: str
    amount: Figure
    currency: str
    date: str
    market: str


def list_prices() -> tuple[str, ...]:
    """Return the names of all known price lists."""
    return list_entries(KIND)


def load_quotes(name_or_path: str | os.PathLike[str] | None = None) -> tuple[Quote, ...]:
    """Return the quotes of one price list, or of all that are known.

    >>> next(quote.amount.value for quote in load_quotes("china") if quote.chip == "ascend-910c")
    11.3

    Raises UnknownNameError for a name that the catalog lacks, FormatError for a file that cannot be used.
    """
    names = list_prices() if name_or_path is None else (name_or_path,)
    return tuple(q for entry in (find_entry(KIND, n) for n in names) for q in _load(entry, entry.version()))


@lru_cache(maxsize=64)
def _load(entry: CatalogEntry, version: tuple[str, int, int]) -> tuple[Quote, ...]:
    table = read_entry(KIND, entry)
    quotes = tuple(_read_quote(part) for part in table.children("quotes"))
    table.finish()
    return quotes


def _read_quote(part: TomlTable) -> Quote:
    amount = part.figure("amount", *AMOUNT)
    if amount is None:
        part.text("amount")
    assert amount is not None
    quote = Quote(
        part.text("chip"), part.choice("item", ITEMS), amount, part.choice("currency", CURRENCIES), part.text("date"),
        part.text("market", ""),
    )  # fmt: skip
    part.finish()
    return quote
