"""What one chip-hour costs its owner: purchase, servers, network, storage, depreciation, interest, staff, electricity."""

from __future__ import annotations

from tianji.catalog import Ownership
from tianji.ranges import CASES, Range
from tianji.units import HOUR, Dollars, Seconds

YEAR_HOURS = 365.25 * 24


def amortise(price: Dollars, lifetime: Seconds, interest: float, residual: float = 0.0) -> Dollars:
    """Return the yearly payment for a price: depreciation to the residual worth, with interest on what is not yet paid.

    The annuity ``i · (P - R / (1 + i)^n) / (1 - (1 + i)^-n)``; without interest the straight line ``(P - R) / n``.

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
    interest and staff; each is spread over the chip-hours in which the pool works for somebody.
    """
    low, nominal, high = (_items(getattr(chip_price, case), terms, case) for case in CASES)
    return {name: Range(low[name], nominal[name], high[name]) for name in nominal}


def _items(price: Dollars, terms: Ownership, case: str) -> dict[str, float]:
    inverse = {"low": "high", "nominal": "nominal", "high": "low"}[case]
    # A long life, a high worth at its end and much use make the low cost.
    lifetime, residual = terms.lifetime.at(inverse), terms.residual.at(inverse)
    hours = YEAR_HOURS * terms.used_share.at(inverse)
    servers = price * (terms.server_overhead.at(case) - 1)
    share = terms.network_share.at(case)
    network = (price + servers) * share / (1 - share)
    storage = (price + servers + network) * terms.storage_share.at(case)
    parts = {"chips": price, "servers": servers, "network": network, "storage": storage}
    whole = sum(parts.values())
    straight = {name: amortise(value, lifetime, 0.0, residual) / hours for name, value in parts.items()}
    paid = amortise(whole, lifetime, terms.interest.at(case), residual)
    return {
        **straight,
        "interest": paid / hours - sum(straight.values()),
        "staff": whole * terms.staff.at(case) / hours,
    }
