"""Firm quotes: prices that a seller is bound to, in a small file of the user's own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, cast

from tianji.catalog.chips import list_chips
from tianji.catalog.pools import list_pools
from tianji.catalog.prices import AMOUNT, CURRENCIES
from tianji.catalog.reader import TomlTable, read_toml
from tianji.errors import FormatError, UnknownNameError
from tianji.hardware import Pool

FIRM_ITEMS = ("rent", "chip", "unit")
Item = Literal["rent", "chip", "unit"]
ITEM_WORDS = {"rent": "a chip-hour", "chip": "a chip", "unit": "a unit"}


@dataclass(frozen=True, slots=True)
class FirmQuote:
    """One price that a seller is bound to, in ``currency``: of a chip-hour, of a chip or of a whole unit."""

    of: str
    """A chip or a pool; a unit is a pool's."""
    item: Item
    amount: float
    currency: str
    date: str
    valid_until: str
    volume: int
    """Chips, or units of a ``unit``, from which on it holds; 1: any number."""
    seller: str

    def covers(self, pool: Pool) -> bool:
        """Whether it is of this pool or its chip, and the pool is as large as it asks."""
        return self.of in (pool.name, pool.chip.name) and self.volume <= self._bought(pool)

    def is_short_of(self, pool: Pool) -> bool:
        """Whether it is of this pool or its chip, but for more of them."""
        return self.of in (pool.name, pool.chip.name) and self.volume > self._bought(pool)

    def _bought(self, pool: Pool) -> int:
        return -(-pool.chips // pool.unit) if self.item == "unit" else pool.chips

    @property
    def words(self) -> str:
        """The quote as a source.

        >>> FirmQuote("h800", "rent", 12.0, "CNY", "2026-11-20", "2027-03-31", 1, "").words
        'firm quote of 2026-11-20: 12 CNY a chip-hour, valid until 2027-03-31'
        """
        seller = f" from {self.seller}" if self.seller else ""
        least = f", from {self.volume:,} on" if self.volume > 1 else ""
        price = f"{self.amount:,.10g} {self.currency} {ITEM_WORDS[self.item]}"
        return f"firm quote of {self.date}{seller}: {price}{least}, valid until {self.valid_until}"


def load_firm_quotes(path: str | os.PathLike[str], today: date) -> tuple[FirmQuote, ...]:
    """Return the quotes of a TOML file with tables ``[[quotes]]``.

    Raises FormatError for a file that cannot be used and for a quote that is no longer valid today, UnknownNameError for a
    chip or pool that nobody knows.
    """
    place = Path(path)
    table = TomlTable(read_toml(place), str(place))
    quotes = tuple(_read(part, today) for part in table.children("quotes"))
    table.finish()
    if not quotes:
        raise FormatError(
            f"{place}: no quote; expected tables [[quotes]] with of, item, amount, currency, date, valid_until"
        )
    seen: set[tuple[str, str, int]] = set()
    for quote in quotes:
        key = (quote.of, quote.item, quote.volume)
        if key in seen:
            raise FormatError(
                f"{place}: two quotes for {quote.item} of {quote.of} from {quote.volume:,} on; leave one out"
            )
        seen.add(key)
    return quotes


def find_firm_quote(quotes: Sequence[FirmQuote], pool: Pool, item: str) -> FirmQuote | None:
    """Return the quote of a pool, else of its chip, that covers it: of several the one for the largest volume."""
    fitting = [quote for quote in quotes if quote.item == item and quote.covers(pool)]
    return max(fitting, key=lambda quote: (quote.of == pool.name, quote.volume), default=None)


def _read(part: TomlTable, today: date) -> FirmQuote:
    item, of = cast("Item", part.choice("item", FIRM_ITEMS)), part.text("of")
    pools = list_pools()
    known = pools if item == "unit" else (*pools, *list_chips())
    if of not in known:
        raise UnknownNameError("pool" if item == "unit" else "chip or pool", of, known)
    amount = part.number("amount", *AMOUNT)
    quote = FirmQuote(
        of, item, amount, part.choice("currency", CURRENCIES), part.text("date"), part.text("valid_until"),
        part.count("volume", 1), part.text("seller", ""),
    )  # fmt: skip
    for key, written in (("date", quote.date), ("valid_until", quote.valid_until)):
        _check_day(part.where(key), written)
    if date.fromisoformat(quote.valid_until) < today:
        raise FormatError(
            f"{part.where('valid_until')}: the quote was valid until {quote.valid_until} and today is {today};"
            " ask for a new one, or leave it out"
        )
    part.finish()
    return quote


def _check_day(where: str, written: str) -> None:
    try:
        date.fromisoformat(written)
    except ValueError:
        raise FormatError(f'{where}: expected a day like "2026-11-30", got {written[:40]!r}') from None
