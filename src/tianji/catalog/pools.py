"""Pools of the catalog, and of a user's own files."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import lru_cache

from tianji.catalog.chips import STATUSES, load_chip, read_chip
from tianji.catalog.entries import CatalogEntry, find_entry, list_entries, read_entry
from tianji.catalog.reader import TomlTable, span
from tianji.errors import FormatError
from tianji.hardware import TOPOLOGIES, Chip, Figure, Pool, Tier

TIER_KINDS = ("scale-up", "scale-out")
TIER_BANDWIDTH = span("bandwidth", "1 MB/s", "1 PB/s")
LATENCY = span("time", "1 ns", "1 s")
OVERSUBSCRIPTION = span("ratio", "1", "1000")
RENT = span("money", "0.001 USD", "10000 USD")
USABLE_MEMORY = span("ratio", "10 %", "100 %")

FIGURES = {
    "power": span("power", "1 W", "100 GW"),
    "price": span("money", "1 USD", "1000000000000 USD"),
    "cabinets": span("count", "1", "1000000000"),
    "area": span("area", "0.01 m2", "1000000000 m2"),
    "optics": span("count", "1", "1000000000"),
}
"""For each figure of one unit its dimension and the least and the most that can be meant."""


def list_pools() -> tuple[str, ...]:
    """Return the names of all known pools."""
    return list_entries("pools")


def load_pool(name_or_path: str | os.PathLike[str], chips: int | None = None) -> Pool:
    """Return a pool by its catalog name or from a TOML file, with the given number of chips or its own.

    >>> load_pool("atlas-900-a2", chips=1024).spans()
    (8, 1024)

    Raises UnknownNameError for a name that the catalog lacks, FormatError for a file that cannot be used, and
    IllegalStrategyError for more chips than the architecture joins.
    """
    entry = find_entry("pools", name_or_path)
    pool = _load(entry, entry.version(), chips)
    return pool if chips is None else pool.with_chips(chips)


@lru_cache(maxsize=256)
def _load(entry: CatalogEntry, version: tuple[str, int, int], chips: int | None) -> Pool:
    return read_pool(read_entry("pools", entry), chips)


def read_pool(table: TomlTable, chips: int | None = None) -> Pool:
    """Return the pool that a table describes; where it has ``sizes``, as it is when so many chips work."""
    if "parts" in table.content:
        raise FormatError(
            f"{table.file}: a mixture, with [[parts]], and a pool of one chip is asked for: `tianji plan` takes mixtures"
        )
    whole, table = table, _choose_size(table, chips)
    figures = {key: table.figure(key, *bounds) for key, bounds in FIGURES.items()}
    usable = table.figure("usable_memory", *USABLE_MEMORY)
    node = table.count("node")
    unit = table.count("unit", node)
    outermost = _read_tiers(whole)[-1]
    pool = Pool(
        name=table.text("name"),
        title=table.text("title"),
        vendor=table.text("vendor"),
        chip=_read_chip(table),
        tiers=_read_tiers(table),
        chips=table.count("chips", unit),
        unit=unit,
        node=node,
        max_chips=table.count("max_chips", 0, least=0) or outermost.span,
        larger=table.text("larger", ""),
        beyond=table.text("beyond", ""),
        status=table.choice("status", STATUSES, "shipping"),
        power=figures["power"],
        price=figures["price"],
        cabinets=figures["cabinets"],
        area=figures["area"],
        optics=figures["optics"],
        rents=_read_rents(table),
        cooling=table.text("cooling", ""),
        facts=_read_facts(table),
        notes=table.texts("notes"),
    )
    table.finish()
    _check_hosts(table, pool)
    if outermost.span and pool.max_chips > outermost.span:
        raise FormatError(
            f"{table.where('max_chips')}: {pool.max_chips:,} are more than the {outermost.span:,} that the outermost tier"
            f" {outermost.name!r} joins; give it span = 0, or add a tier"
        )
    if pool.max_chips and pool.chips > pool.max_chips:
        raise FormatError(f"{table.where('chips')}: {pool.chips:,} are over max_chips = {pool.max_chips:,}")
    if usable is None:
        return pool
    return replace(pool, usable_memory=usable.value, facts=(*pool.facts, ("usable memory", usable)))


def _choose_size(table: TomlTable, chips: int | None) -> TomlTable:
    """Return the table with chip and tiers of the smallest of its ``sizes`` that holds so many chips.

    Chips that share cores or memory are slower the more of them work; a file says what they are at each number of them.
    """
    chosen, before = table.content, 0
    sizes = table.children("sizes")
    for part in sizes:
        count = part.count("chips")
        if count <= before:
            raise FormatError(f"{part.where('chips')}: expected sizes from the smallest to the largest")
        before = count
        read_chip(_require_child(part, "chip"))
        _read_tiers(part)
        part.finish()
        if chips is not None and chips <= count and chosen is table.content:
            chosen = {**table.content, "chip": part.content["chip"], "tiers": part.content["tiers"]}
    if sizes and before >= table.count("chips", table.count("unit", table.count("node"))):
        raise FormatError(f"{sizes[-1].where('chips')}: expected fewer than the pool's own chips")
    rest = {key: value for key, value in chosen.items() if key != "sizes"}
    return TomlTable(rest, table.file, table.path, table.sources)


def _require_child(part: TomlTable, key: str) -> TomlTable:
    child = part.child(key)
    if child is None:
        raise FormatError(f"{part.where(key)}: missing; expected a table [{key}] like the pool's own")
    return child


def _read_chip(table: TomlTable) -> Chip:
    if isinstance(table.content.get("chip"), dict):
        inline = table.child("chip")
        assert inline is not None
        return read_chip(inline)
    return load_chip(table.text("chip"))


def _read_tiers(table: TomlTable) -> tuple[Tier, ...]:
    parts = table.children("tiers")
    if not parts:
        raise FormatError(f"{table.where('tiers')}: expected at least one table [[tiers]], innermost first")
    tiers = tuple(_read_tier(part, outermost=part is parts[-1]) for part in parts)
    for part, inner, outer in zip(parts[1:], tiers, tiers[1:], strict=False):
        if outer.span and outer.span <= inner.span:
            raise FormatError(
                f"{part.where('span')}: {outer.span:,} chips do not reach beyond the tier {inner.name!r} "
                f"({inner.span:,}); expected tiers from the innermost to the outermost"
            )
        if outer.span % inner.span:
            raise FormatError(
                f"{part.where('span')}: {outer.span:,} chips are no whole number of units of the tier {inner.name!r} "
                f"({inner.span:,}); expected a multiple of {inner.span:,}"
            )
    return tiers


def _check_hosts(table: TomlTable, pool: Pool) -> None:
    """Raise FormatError where hosts and the units of the pool and its tiers cut through each other."""
    if max(pool.unit, pool.node) % min(pool.unit, pool.node):
        raise FormatError(
            f"{table.where('node')}: hosts of {pool.node:,} chips and units of {pool.unit:,} cut through each other; expected one"
            " to divide the other"
        )
    for tier in pool.tiers:
        if tier.span and max(tier.span, pool.node) % min(tier.span, pool.node):
            raise FormatError(
                f"{table.where('node')}: hosts of {pool.node:,} chips and units of {tier.span:,} of the tier {tier.name!r}"
                " cut through each other; expected one to divide the other"
            )


def _read_tier(part: TomlTable, outermost: bool) -> Tier:
    # Only the outermost tier may join any number of chips.
    tier = Tier(
        name=part.text("name"),
        topology=part.choice("topology", TOPOLOGIES),
        span=part.count("span", 0 if outermost else None, least=0 if outermost else 2),
        bandwidth=part.figure("bandwidth", *TIER_BANDWIDTH),
        latency=part.figure("latency", *LATENCY),
        oversubscription=part.number("oversubscription", *OVERSUBSCRIPTION, default=1.0),
        kind=part.choice("kind", TIER_KINDS, "scale-up"),
    )
    part.finish()
    return tier


def _read_rents(table: TomlTable) -> tuple[tuple[str, Figure], ...]:
    rents = table.child("rents")
    if rents is None:
        return ()
    figures = [(name, rents.figure(name, *RENT)) for name in rents.content]
    rents.finish()
    return tuple((name, figure) for name, figure in figures if figure is not None)


def _read_facts(table: TomlTable) -> tuple[tuple[str, Figure], ...]:
    facts = table.child("facts")
    return () if facts is None else tuple((name, facts.fact(name)) for name in facts.content)
