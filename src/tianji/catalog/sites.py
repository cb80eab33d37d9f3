"""Where a pool stands: electricity, carbon, cooling; what owning costs beside the chips; power that nobody published."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, TypeVar

from tianji.catalog.entries import CatalogEntry, find_entry, list_entries, read_entry
from tianji.catalog.reader import TomlTable, span
from tianji.errors import FormatError
from tianji.hardware import Chip, Figure, Pool

SHARE = ("ratio", 0.0, 1.0)
PUE = ("ratio", 1.0, 5.0)
SITE_FIGURES = {
    "exchange": ("count", 0.01, 10.0**4),
    "electricity": span("money", "0.0001 USD", "10 USD"),
    "carbon": ("count", 0.0, 5.0),
    "pue_air": PUE,
    "pue_liquid": PUE,
}
OWNERSHIP_FIGURES = {
    "server_overhead": ("ratio", 1.0, 10.0),
    "network_share": ("ratio", 0.0, 0.9),
    "storage_share": ("ratio", 0.0, 0.9),
    "lifetime": span("time", "30 days", "20 years"),
    "residual": SHARE,
    "interest": SHARE,
    "staff": SHARE,
    "used_share": ("ratio", 0.01, 1.0),
}
POWER_FIGURES = {"server_over_chip": ("ratio", 1.0, 10.0), "busy_share": SHARE, "idle_share": SHARE}
CHIP_POWER = span("power", "1 W", "1 MW")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Site:
    """A place. ``electricity`` is dollars of 1 kWh, ``carbon`` kg of CO2 of 1 kWh, ``exchange`` CNY for a dollar."""

    name: str
    title: str
    vendors: tuple[str, ...]
    """Whose pools stand here where nobody says otherwise."""
    exchange: Figure
    electricity: Figure
    carbon: Figure
    pue_air: Figure
    pue_liquid: Figure


@dataclass(frozen=True, slots=True)
class Ownership:
    """What owning costs beside the chips; shares are fractions, ``interest`` and ``staff`` of the price in a year."""

    name: str
    server_overhead: Figure
    network_share: Figure
    storage_share: Figure
    lifetime: Figure
    residual: Figure
    interest: Figure
    staff: Figure
    used_share: Figure


@dataclass(frozen=True, slots=True)
class PowerFigures:
    """Ratios between powers, and brackets for chips that nobody published a power of (watts of one chip, all in)."""

    server_over_chip: Figure
    busy_share: Figure
    idle_share: Figure
    brackets: Mapping[str, Figure]


def list_sites() -> tuple[str, ...]:
    """Return the names of all known sites."""
    return list_entries("sites")


def load_site(name_or_path: str | os.PathLike[str]) -> Site:
    """Return a site by its catalog name or from a TOML file.

    >>> load_site("usa").electricity.value
    0.091

    Raises UnknownNameError for a name that the catalog lacks, FormatError for a file that cannot be used.
    """
    return _read("sites", name_or_path, _read_site)


def site_of(pool: Pool) -> Site:
    """Return the site that a pool stands at where nobody says: its vendor's home, else the United States."""
    sites = [load_site(name) for name in list_sites()]
    return next((site for site in sites if pool.vendor in site.vendors), load_site("usa"))


def load_ownership(name_or_path: str | os.PathLike[str] = "default") -> Ownership:
    """Return terms of ownership by name or from a TOML file."""
    return _read("ownership", name_or_path, _read_ownership)


def load_power(name_or_path: str | os.PathLike[str] = "default") -> PowerFigures:
    """Return the power figures that pools and chips do not state themselves."""
    return _read("power", name_or_path, _read_power)


def bracket_power(chip: Chip, figures: PowerFigures) -> Figure | None:
    """Return the bracket of a chip whose power nobody published (watts, all in), or None."""
    return figures.brackets.get(chip.name)


def _read(kind: str, name: str | os.PathLike[str], reader: Callable[[TomlTable], T]) -> T:
    entry = find_entry(kind, name)
    value: T = _cached(kind, entry, entry.version(), reader)
    return value


@lru_cache(maxsize=64)
def _cached(kind: str, entry: CatalogEntry, version: tuple[str, int, int], reader: Callable[[TomlTable], Any]) -> Any:
    return reader(read_entry(kind, entry))


def _figures(table: TomlTable, bounds: Mapping[str, tuple[str, float, float]]) -> dict[str, Figure]:
    figures = {key: table.figure(key, *limits) for key, limits in bounds.items()}
    for key, figure in figures.items():
        if figure is None:
            raise FormatError(f"{table.where(key)}: missing; expected a figure with its source")
    return {key: figure for key, figure in figures.items() if figure is not None}


def _read_site(table: TomlTable) -> Site:
    site = Site(
        table.text("name"), table.text("title"), table.texts("vendors"), **_figures(table, SITE_FIGURES)
    )  # fmt: skip
    table.finish()
    return site


def _read_ownership(table: TomlTable) -> Ownership:
    terms = Ownership(table.text("name"), **_figures(table, OWNERSHIP_FIGURES))
    table.finish()
    return terms


def _read_power(table: TomlTable) -> PowerFigures:
    table.text("name")
    figures = _figures(table, POWER_FIGURES)
    brackets: dict[str, Figure] = {}
    for part in table.children("brackets"):
        power = part.figure("power", *CHIP_POWER)
        if power is None:
            raise FormatError(f"{part.where('power')}: missing; expected a figure with its source")
        brackets |= dict.fromkeys(part.texts("chips"), power)
        part.finish()
    table.finish()
    return PowerFigures(**figures, brackets=brackets)


assert {f.name for f in fields(Site)} >= set(SITE_FIGURES)
