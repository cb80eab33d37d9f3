"""The bill of a run: chip-hours, electricity, energy, carbon, by the items that a buyer knows.

Sources of bills that it reproduces: "Checked against" in ``docs/economics.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tianji.catalog import Site
from tianji.economics.chip_hour import ChipHour
from tianji.economics.power import PoolPower
from tianji.ranges import Range
from tianji.units import HOUR

KWH = 3.6e6
"""Joules of 1 kWh."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What a time on a pool costs. ``items`` add up to ``cost``, both in dollars; the cost is None where no price is known."""

    items: Mapping[str, Range]
    cost: Range | None
    energy: Range
    """Joules, with the site's cooling."""
    carbon: Range
    """Kilograms of CO2."""


def price_run(
    seconds: Range, power: PoolPower, hour: ChipHour, site: Site, *, electricity: Range | None = None,
    bought: int | None = None,
) -> Bill:  # fmt: skip
    """Return the bill of so many seconds of all chips of a pool.

    With h the hours and N the chips::

        energy = seconds · busy power · PUE          carbon = kWh · the site's kilograms of a kWh
        cost   = h · N · rent                        rented: a rent has its electricity inside
        cost   = h · N · each item of owning + kWh · electricity

    Every product takes the worst of all ranges, so the cost is wider than it need be, never narrower.

    Args:
        seconds: Wall-clock time for which the chips are held, failures included.
        power: Watts of the pool, its spares among the chips.
        hour: Dollars of one chip-hour, rented or owned.
        site: Whose carbon (kg of a kWh) and electricity (dollars of a kWh) count.
        electricity: Dollars of 1 kWh; None: the site's.
        bought: Chips that an owner pays for, who buys whole units; None: those that have power.
    """
    hours = seconds * (1 / HOUR)
    energy = seconds * power.busy * power.pue
    kilowatt_hours = energy * (1 / KWH)
    owned = power.chips if bought is None else bought
    items: dict[str, Range] = {}
    if hour.basis == "rent" and hour.price is not None:
        items = {"rent": hours * power.chips * hour.price}
    elif hour.price is not None:
        items = {name: hours * owned * value for name, value in hour.items.items()}
        items["electricity"] = kilowatt_hours * (site.electricity.range if electricity is None else electricity)
    cost = Range.total(items.values()) if items else None
    return Bill(items, cost, energy, kilowatt_hours * site.carbon.range)
