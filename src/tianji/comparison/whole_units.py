"""What is bought comes in whole units: how much of them stays free, and the smaller product."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Protocol

from tianji.economics import FloorSpace, find_smaller_product
from tianji.formatting import format_ends, format_number, format_percent
from tianji.hardware import Pool
from tianji.ranges import Range
from tianji.units import MEGA

MUCH = 0.1
"""Share of what is bought from which on it is said beside the money that it stays free."""


def count_units(units: FloorSpace) -> str:
    """Return units with their size, in words."""
    return f"{units.units:,} {'unit' if units.units == 1 else 'units'} of {units.unit_chips:,} chips"


def describe_free(pool: Pool, chips: int, units: FloorSpace) -> str:
    """Return how much of the last unit stays free, in words; empty where nothing does. ``chips`` counts spares."""
    bought = units.units * units.unit_chips
    left = bought - chips
    if not left:
        return ""
    smaller = find_smaller_product(pool, chips)
    instead = f"; {smaller.name} is sold in units of {smaller.unit:,}" if smaller else ""
    return (
        f"{count_units(units)} {'leaves' if units.units == 1 else 'leave'} {left:,} chips free"
        f" ({format_percent(left / bought, 0)}): {chips:,} are used, spares counted{instead}"
    )


class _Bought(Protocol):
    """What is bought in whole units; ``chips`` are those that are used, spares among them."""

    @property
    def pool(self) -> Pool: ...
    @property
    def chips(self) -> int: ...
    @property
    def floor_space(self) -> FloorSpace: ...


def describe_bought(parts: Iterable[_Bought], price: Callable[[Pool], Range | None]) -> str:
    """Return what is bought and what stays free of it, where that is much; else nothing.

    ``price`` gives the dollars of all chips of a pool, where they are bought.
    """
    words = []
    for part in parts:
        pool, chips, units = part.pool, part.chips, part.floor_space
        bought = units.units * units.unit_chips
        left = (bought - chips) / bought
        if left >= MUCH:
            words.append(f"{count_units(units)}, {format_percent(left, 0)} of it free{_instead(pool, chips, price)}")
    return "; ".join(words)


def _instead(pool: Pool, chips: int, price: Callable[[Pool], Range | None]) -> str:
    """Return the smaller product with its units and their price, in words; empty where there is none."""
    smaller = find_smaller_product(pool, chips)
    if smaller is None:
        return ""
    units = math.ceil(chips / smaller.unit)
    dollars = price(smaller.with_chips(units * smaller.unit))
    cost = "not priced"
    if dollars is not None:
        millions = dollars * (1 / MEGA)
        cost = f"{format_number(millions.nominal)} M USD ({format_ends(millions, format_number)})"
    other = "" if smaller.chip.name == pool.chip.name else f" with another chip, {smaller.chip.name}"
    return f", smaller: {units:,} × {smaller.unit:,} chips of {smaller.name}{other}, {cost}"
