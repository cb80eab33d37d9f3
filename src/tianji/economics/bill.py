"""The bill of a run: chip-hours, electricity, energy, carbon, by the items that a buyer knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tianji.catalog import Site
from tianji.economics.chip_hour import ChipHour
from tianji.economics.power import PoolPower
from tianji.ranges import Range
from tianji.units import HOUR, Dollars, Watts

KWH = 3.6e6
"""Joules of 1 kWh."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What so many seconds of a pool cost. ``items`` add up to ``cost``, both in dollars; None where no price is known."""

    items: Mapping[str, Range]
    cost: Range | None
    energy: Range
    """Joules, with the site's cooling."""
    carbon: Range
    """Kilograms of CO2."""


def price_run(seconds: Range, draw: PoolPower, hour: ChipHour, site: Site, *, electricity: Range | None = None) -> Bill:
    """Return the bill of a run that takes so long on all chips of a pool. A rent has its electricity inside."""
    hours = seconds * (1 / HOUR)
    energy = seconds * draw.busy * draw.pue
    power = energy * (1 / KWH) * (site.electricity.range if electricity is None else electricity)
    items: dict[str, Range] = {}
    if hour.basis == "rent" and hour.price is not None:
        items = {"rent": hours * draw.chips * hour.price}
    elif hour.price is not None:
        items = {name: hours * draw.chips * value for name, value in hour.items.items()}
        items["electricity"] = power
    cost = Range.total(items.values()) if items else None
    return Bill(items, cost, energy, energy * (1 / KWH) * site.carbon.range)


def rent_run(chip_hours: float, rent: Dollars) -> Dollars:
    """Return what chip-hours cost at a rent.

    >>> rent_run(2.788e6, 2.0)
    5576000.0
    """
    return chip_hours * rent


def energy_of(chip_hours: float, chip_power: Watts, pue: float = 1.0) -> float:
    """Return joules of chip-hours at a power, with the site's cooling.

    >>> round(energy_of(30.84e6, 700.0) / 3.6e9)
    21588
    """
    return chip_hours * HOUR * chip_power * pue


def carbon_of(energy: float, intensity: float) -> float:
    """Return kilograms of CO2 of an energy in joules, at kilograms of 1 kWh.

    >>> round(carbon_of(433.2e3 * KWH, 0.057) / 10**3, 2)
    24.69
    """
    return energy / KWH * intensity


def value_goodput(chips: int, share: float, hours: float, rent: Dollars) -> Dollars:
    """Return what a share of the time of all chips is worth at a rent."""
    return chips * share * hours * rent
