"""Floor space of a pool: units, cabinets, square metres, optical modules. Each figure has its source in the pool's file."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tianji.catalog import list_pools, load_pool
from tianji.hardware import Pool
from tianji.units import SquareMetres


@dataclass(frozen=True, slots=True)
class FloorSpace:
    """What a pool takes; None where nobody published the figure for one unit."""

    units: int
    """Nodes, racks or pods, as sold; the last may be used in part."""
    unit_chips: int
    cabinets: int | None
    area: SquareMetres | None
    """Square metres."""
    optics: int | None


def find_floor_space(pool: Pool) -> FloorSpace:
    """Return the floor space of a pool.

    >>> from tianji import load_pool
    >>> find_floor_space(load_pool("cloudmatrix384", 768)).cabinets
    32
    """
    units = math.ceil(pool.chips / pool.unit)
    return FloorSpace(
        units,
        pool.unit,
        None if pool.cabinets is None else math.ceil(pool.cabinets.value * pool.chips / pool.unit),
        None if pool.area is None else pool.area.value * pool.chips / pool.unit,
        None if pool.optics is None else math.ceil(pool.optics.value * pool.chips / pool.unit),
    )


def find_smaller_product(pool: Pool, chips: int) -> Pool | None:
    """Return the same product in smaller units, where so many ``chips`` leave half of a unit free; None where there is none.

    >>> from tianji import load_pool
    >>> find_smaller_product(load_pool("atlas-950-superpod"), 1536).name
    'atlas-950-superpod-1024'
    """
    if chips > pool.unit / 2:
        return None
    kin = [load_pool(name) for name in list_pools() if name.startswith(f"{pool.name}-")]
    smaller = [other for other in kin if other.unit < pool.unit]
    return min(smaller, key=lambda other: math.ceil(chips / other.unit) * other.unit, default=None)
