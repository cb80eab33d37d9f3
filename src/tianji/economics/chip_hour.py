"""What one chip-hour costs: by quoted rents, or by owning; a price that nobody published is asked for, with a bracket.

Each quote keeps its source and its date.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tianji.catalog import Ownership, Quote, Site, load_ownership, load_quotes
from tianji.economics.ownership import chip_capital, own_chip_hour, own_unit_hour, unit_capital
from tianji.hardware import Pool
from tianji.ranges import Range
from tianji.units import Dollars

LONE_QUOTE_SPREAD = 0.25
"""A lone quote says nothing of its range; the quotes of an H100 lie about this far to both sides of their middle."""


@dataclass(frozen=True, slots=True)
class ChipHour:
    """Dollars of one chip-hour, and what they stand on.

    ``price`` is None where nobody published one; ``bracket`` then says what owning would cost at the published prices of the
    chip, electricity excluded, if there are any.
    """

    price: Range | None
    basis: Literal["rent", "own", "unknown"]
    """``rent`` (electricity included), ``own`` (electricity is paid on top) or ``unknown``."""
    sources: tuple[str, ...]
    items: dict[str, Range]
    """Line items of owning; empty for a rent."""
    bracket: Range | None = None
    capital: Range | None = None
    """Of an owned pool: what is bought for one chip, its servers, network and storage with it (dollars)."""
    is_stated: bool = False
    """It is the user's own, so that no range of it is left."""


def find_chip_hour(
    pool: Pool, site: Site, *, rent: Dollars | None = None, chip_price: Dollars | None = None,
    unit_price: Dollars | None = None, own: bool = False, stated_by: str = "",
    terms: Ownership | None = None, quotes: Sequence[Quote] | None = None,
) -> ChipHour:  # fmt: skip
    """Return the price of one chip-hour of a pool, in dollars.

    Args:
        pool: Whose chips are rented or bought.
        site: Whose market the nominal quote is taken from, and whose exchange rate turns CNY into dollars.
        rent: The user's own dollars of one chip-hour; it stands before all else.
        chip_price: The user's own dollars of one chip; the pool is then owned.
        unit_price: The user's own dollars of one whole unit, its servers and network included; the pool is then owned.
        stated_by: What a price of the user's own stands on; empty: the user's word.
        own: Own the pool at the published price of its unit, or where there is none of its chip.
        terms: What owning costs beside the chips; None: the catalog's.
        quotes: Published rents; None: the catalog's. The nominal one is the site's, else a three-year rent; low and high are
            the lowest and the highest known of this chip anywhere.
    """
    terms = terms or load_ownership()
    if rent is not None:
        return ChipHour(Range.exactly(rent), "rent", (stated_by or "your own rent",), {}, is_stated=True)
    if own or chip_price is not None or unit_price is not None:
        return _own(pool, terms, chip_price, unit_price, stated_by)
    quoted = _quoted(pool, site, load_quotes() if quotes is None else quotes)
    if quoted is not None:
        return quoted
    owned = _own(pool, terms)
    return ChipHour(None, "unknown", owned.sources, {}, owned.price)


def _own(
    pool: Pool, terms: Ownership, chip_price: Dollars | None = None, unit_price: Dollars | None = None,
    stated_by: str = "",
) -> ChipHour:  # fmt: skip
    """Return the price of owning: by what the user states, else by the unit's published price, else by the chip's."""
    stated = unit_price if unit_price is not None else chip_price
    published = None if stated is not None else pool.price or pool.chip.price
    if stated is None and published is None:
        return ChipHour(None, "unknown", (), {})
    price = Range.exactly(stated) if stated is not None else published.range if published else Range.exactly(0.0)
    source = f"{published.source} ({published.confidence})" if published else stated_by or "your own price"
    share, is_joined = price * (1 / pool.unit), pool.chips > pool.unit
    if unit_price is not None or (stated is None and pool.price is not None):
        items = own_unit_hour(share, terms, is_joined=is_joined)
        capital = unit_capital(share, terms, is_joined=is_joined)
        source += f", of a unit of {pool.unit:,} chips with its servers and its network"
    else:
        items, capital = own_chip_hour(price, terms), chip_capital(price, terms)
    sources = (source, f"ownership {terms.name}")
    return ChipHour(Range.total(items.values()), "own", sources, items, capital=capital, is_stated=stated is not None)


def _quoted(pool: Pool, site: Site, quotes: Sequence[Quote]) -> ChipHour | None:
    known = [(f"{name}: {figure.source}", figure.value, "") for name, figure in pool.rents]
    for quote in quotes:
        if quote.item == "rent" and quote.chip == pool.chip.name:
            dollars = quote.amount.value / (site.exchange.value if quote.currency == "CNY" else 1.0)
            place = f" in {quote.market}" if quote.market else ""
            text = f"rent{place}, {quote.date}, {quote.amount.value:g} {quote.currency}: {quote.amount.source}"
            known.append((text, dollars, quote.market))
    if not known:
        return None
    local = [value for _, value, market in known if market and market.lower() == site.name.lower()]
    nominal = local[0] if local else known[0][1]
    values = [value for _, value, _ in known]
    low, high = min(values), max(values)
    if len(values) == 1:
        low, high = nominal * (1 - LONE_QUOTE_SPREAD), nominal * (1 + LONE_QUOTE_SPREAD)
    return ChipHour(Range(low, nominal, high), "rent", tuple(text for text, _, _ in known), {})
