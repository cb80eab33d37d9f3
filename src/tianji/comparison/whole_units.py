"""What is bought comes in whole units: how much of them stays free, and the smaller product."""

from __future__ import annotations

from collections.abc import Iterable

from tianji.economics import FloorSpace, find_smaller_product
from tianji.formatting import format_percent
from tianji.hardware import Pool

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


def describe_bought(parts: Iterable[tuple[Pool, int, FloorSpace]]) -> str:
    """Return what is bought and what stays free of it, where that is much; else nothing."""
    words = []
    for pool, chips, units in parts:
        bought = units.units * units.unit_chips
        left = (bought - chips) / bought
        if left >= MUCH:
            smaller = find_smaller_product(pool, chips)
            instead = f", smaller: {smaller.name} with units of {smaller.unit:,}" if smaller else ""
            words.append(f"{count_units(units)}, {format_percent(left, 0)} of it free{instead}")
    return "; ".join(words)
