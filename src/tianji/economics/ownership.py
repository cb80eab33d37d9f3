"""What one chip-hour costs its owner: purchase, servers, network, storage, depreciation, interest, staff, electricity.

Shares and lifetimes have their sources in the catalog's terms of ownership; the annuity is that of every textbook.
"""

from __future__ import annotations

from collections.abc import Callable

from tianji.catalog import Ownership
from tianji.ranges import CASES, Range
from tianji.units import HOUR, Dollars, Seconds

YEAR_HOURS = 365.25 * 24
Parts = Callable[[Dollars, Ownership, str], dict[str, Dollars]]
"""What is bought for one chip, in one case."""


def amortise(price: Dollars, lifetime: Seconds, interest: float, residual: float = 0.0) -> Dollars:
    """Return the yearly payment for a price: depreciation to the residual worth, with interest on what is not yet paid.

    The annuity ``i · (P - R / (1 + i)^n) / (1 - (1 + i)^-n)``; without interest the straight line ``(P - R) / n``.

    Args:
        price: P, in dollars.
        lifetime: n years, in seconds, above 0.
        interest: i, a share of what is not yet paid, in a year.
        residual: R / P, the share of the price that it is worth at the end.

    >>> amortise(40000.0, 4 * 365.25 * 86400, 0.0)
    10000.0
    """
    years = lifetime / (YEAR_HOURS * HOUR)
    worth = price * residual
    if not interest:
        return (price - worth) / years
    shrink: float = (1 + interest) ** -years
    return interest * (price - worth * shrink) / (1 - shrink)


def own_chip_hour(chip_price: Range, terms: Ownership) -> dict[str, Range]:
    """Return what one useful chip-hour costs the owner, by line item, without electricity (dollars).

    Items are servers around the chip (``(overhead - 1) · price``), network (a share of the whole), storage (a share of both),
    interest and staff; each is spread over the chip-hours in which the pool works for somebody. ``chip_price`` is in dollars.
    """
    return _spread(chip_price, terms, _chip_parts)


def own_unit_hour(chip_share: Range, terms: Ownership, *, is_joined: bool) -> dict[str, Range]:
    """Return the same where ``chip_share`` is one chip's share (dollars) of a unit's price, with servers and network inside.

    ``is_joined`` says that there are several units, which need a network between them: its share of the whole comes on top.
    """
    return _spread(chip_share, terms, _joined_unit_parts if is_joined else _unit_parts)


def chip_capital(chip_price: Range, terms: Ownership) -> Range:
    """Return what is bought for one chip (dollars): it at ``chip_price``, its servers, its network and its storage."""
    return _bought(chip_price, terms, _chip_parts)


def unit_capital(chip_share: Range, terms: Ownership, *, is_joined: bool) -> Range:
    """Return the same where ``chip_share`` is one chip's share (dollars) of a unit's price; ``is_joined``: of several units."""
    return _bought(chip_share, terms, _joined_unit_parts if is_joined else _unit_parts)


def _bought(price: Range, terms: Ownership, parts: Parts) -> Range:
    low, nominal, high = (sum(parts(getattr(price, case), terms, case).values()) for case in CASES)
    return Range(low, nominal, high)


def _spread(price: Range, terms: Ownership, parts: Parts) -> dict[str, Range]:
    low, nominal, high = (_items(parts(getattr(price, case), terms, case), terms, case) for case in CASES)
    return {name: Range(low[name], nominal[name], high[name]) for name in nominal}


def _chip_parts(price: Dollars, terms: Ownership, case: str) -> dict[str, Dollars]:
    servers = price * (terms.server_overhead.at(case) - 1)
    network = _network(price + servers, terms, case)
    return {"chips": price, "servers": servers, "network": network, **_storage(price + servers + network, terms, case)}


def _unit_parts(price: Dollars, terms: Ownership, case: str) -> dict[str, Dollars]:
    return {"unit": price, **_storage(price, terms, case)}


def _joined_unit_parts(price: Dollars, terms: Ownership, case: str) -> dict[str, Dollars]:
    network = _network(price, terms, case)
    return {"unit": price, "network": network, **_storage(price + network, terms, case)}


def _network(price: Dollars, terms: Ownership, case: str) -> Dollars:
    share = terms.network_share.at(case)
    return price * share / (1 - share)


def _storage(price: Dollars, terms: Ownership, case: str) -> dict[str, Dollars]:
    return {"storage": price * terms.storage_share.at(case)}


def _items(parts: dict[str, Dollars], terms: Ownership, case: str) -> dict[str, float]:
    inverse = {"low": "high", "nominal": "nominal", "high": "low"}[case]
    # A long life, a high worth at its end and much use make the low cost.
    lifetime, residual = terms.lifetime.at(inverse), terms.residual.at(inverse)
    hours = YEAR_HOURS * terms.used_share.at(inverse)
    whole = sum(parts.values())
    straight = {name: amortise(value, lifetime, 0.0, residual) / hours for name, value in parts.items()}
    paid = amortise(whole, lifetime, terms.interest.at(case), residual)
    return {
        **straight,
        "interest": paid / hours - sum(straight.values()),
        "staff": whole * terms.staff.at(case) / hours,
    }
