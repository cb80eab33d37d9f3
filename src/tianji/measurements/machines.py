"""What a measurement ran on: a pool or a chip of the catalog, with the links that the run had."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from tianji.catalog import find_chip, list_pools, load_pool
from tianji.errors import FormatError
from tianji.hardware import Figure, Pool, Tier
from tianji.measurements.cells import Cells
from tianji.units import BytesPerSecond

Link = tuple[BytesPerSecond | None, str]
"""What a row states of a tier's links: the rate of one chip in one direction, and the words of the source."""


def read_pool(cells: Cells) -> Pool:
    """Return the pool of a row with its number of chips and the links that it states.

    Raises UnknownNameError for a name that the catalog lacks, FormatError for a chip that no pool holds.
    """
    chips = cells.count("n_chips")
    per_node = cells.count("chips_per_node", default=1) if cells.text("chips_per_node") else 0
    name = cells.require("pool" if "pool" in cells.row else "chip")

    def link(column: str) -> Link:
        return cells.bandwidth(column), cells.text(f"as_published_{column}") or cells.text(column)

    links = link("scale_up"), link("scale_out")
    return _find_sized(" ".join(name.lower().split()), per_node, links, chips)


@lru_cache(maxsize=2048)
def _find_sized(name: str, chips_per_node: int, links: tuple[Link, Link], chips: int) -> Pool:
    return _find(name, chips_per_node, *links).with_chips(chips)


@lru_cache(maxsize=512)
def _find(
    name: str,
    chips_per_node: int,
    scale_up: Link,
    scale_out: Link,
) -> Pool:
    pool = _find_plain(name)
    tiers = list(pool.tiers)
    tiers[0] = _with_rate(tiers[0], *scale_up)
    # Nodes of an NVL72 or of a SuperPod are joined by the same links as the chips inside: only the tier counts there.
    if 1 < chips_per_node < pool.node and tiers[0].span == pool.node:
        tiers[0] = replace(tiers[0], span=chips_per_node)
        pool = replace(pool, node=chips_per_node, unit=chips_per_node)
    if tiers[-1].kind == "scale-out":
        tiers[-1] = _with_rate(tiers[-1], *scale_out)
    return replace(pool, tiers=tuple(tiers))


@lru_cache(maxsize=512)
def _find_plain(name: str) -> Pool:
    """Return what :func:`find_pool` does: a name stands in many rows, and a chip's pools are looked for among all files."""
    return find_pool(name)


def _with_rate(tier: Tier, rate: BytesPerSecond | None, source: str) -> Tier:
    if rate is None or (tier.bandwidth is not None and rate == tier.bandwidth.value):
        return tier
    return replace(tier, bandwidth=Figure(rate, source, "secondary", "Stated for this run.", text=source))


def find_pool(name: str) -> Pool:
    """Return a pool of the catalog by its name, or the smallest pool of a chip by the chip's name.

    >>> find_pool("ascend-910b3").name
    'atlas-900-a2-b3'
    >>> find_pool("RTX PRO 6000 Blackwell Server (96 GB)").name
    'rtx-pro-6000-box'

    Raises UnknownNameError for a name that the catalog lacks, FormatError for a chip that no pool holds.
    """
    if name in list_pools():
        return load_pool(name)
    name = find_chip(name)
    homes = [pool for pool in map(load_pool, list_pools()) if pool.chip.name == name]
    if not homes:
        raise FormatError(f"chip: no pool of the catalog holds {name!r}; name a pool file in its place")
    return min(homes, key=lambda pool: (pool.unit, pool.name))
