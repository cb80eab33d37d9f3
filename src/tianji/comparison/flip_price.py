"""The price at which the answer on money turns: what a chip-hour of the other pool may cost before its token costs more."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tianji.comparison.assessment import Assessment, Assumptions
from tianji.comparison.measures import Assessed
from tianji.formatting import format_ends
from tianji.ranges import Range

KINDS = {
    "rent": "it is rented at",
    "own": "owning it costs, before electricity,",
    "unknown": "owning it would cost, before electricity,",
}


@dataclass(frozen=True, slots=True)
class FlipPrice:
    """A price of one chip-hour, electricity in it, and what is known of it."""

    break_even: float | None = None
    """Dollars; None where the cost of the first pool is not known, or no price is low enough."""
    known: Range | None = None
    """Published or stated; else the bracket of owning, before electricity."""
    says: str = "Without a price of the first pool there is none at which the answer turns."


def find_flip_price(first: Assessed, other: Assessment, given: Assumptions) -> FlipPrice:
    """Return the rent of the other pool at which a useful token costs as much on both.

    A rent r costs ``r · hours`` and nothing else, so that the break-even is the first pool's cost over what a rent of 1 costs.
    """
    hour = other.chip_hour
    known = hour.price or hour.bracket
    if first.cost is None:
        return FlipPrice(None, known)
    at_one = other.under(
        replace(given, own=False, rents={other.pool.name: 1.0}, chip_prices={}, unit_prices={}, quotes=())
    )
    if at_one.cost is None:
        return FlipPrice(None, known, f"No power is known of {other.pool.name}, so that no price makes a bill.")
    price = first.cost.nominal / at_one.cost.nominal
    what = f"A useful token costs as much on both at {price:.2f} USD for a chip-hour of {other.pool.name}, electricity in it"
    if known is None:
        return FlipPrice(price, None, f"{what}; no price of it is known.")
    kind = KINDS[hour.basis]
    return FlipPrice(price, known, f"{what}; {kind} {known.nominal:.2f} USD ({format_ends(known, '{:.2f}'.format)}).")
