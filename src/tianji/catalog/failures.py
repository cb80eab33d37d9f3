"""Failure profiles as files, and the table of published failure figures that they stand on.

A profile is TOML: the all-cause rate of a node, the causes of a study, the rungs of the recovery ladder, and the times and
shares beside them, each a figure with its source. ``like = "default"`` takes over whatever a file does not state.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from functools import lru_cache

from tianji.catalog.entries import DATA, CatalogEntry, find_entry, list_entries, read_entry
from tianji.catalog.reader import TomlTable, span
from tianji.errors import FormatError
from tianji.hardware import Chip, Figure
from tianji.hardware.failure_profile import COMPONENTS, DOMAINS, RUNGS, Cause, FailureProfile, Rung

KIND = "failures"
PUBLISHED = DATA / "failures" / "published.csv"
DEFAULT = "default"

SHARE = ("ratio", 1e-12, 1.0)
YEARLY = ("ratio", 1e-12, 10.0**4)
LENGTH = span("time", "1 ms", "1 years")
FIGURES = {
    "optics_rate": YEARLY,
    "optics_masked": SHARE,
    "switch_share": SHARE,
    "corruption_rate": YEARLY,
    "corruption_delay": LENGTH,
    "straggle": ("ratio", 1e-12, 0.9),
    "repair": LENGTH,
    "reconfigure": LENGTH,
    "host_bandwidth": span("bandwidth", "1 MB/s", "1 PB/s"),
    "storage_bandwidth": span("bandwidth", "1 MB/s", "1 PB/s"),
}
"""For each figure of a profile its dimension and the least and the most that can be meant."""


@dataclass(frozen=True, slots=True)
class FailureRow:
    """One published figure about failures, recovery or checkpoints, as it was printed."""

    component: str
    metric: str
    value: str
    unit: str
    population: str
    source: str
    confidence: str
    note: str


@lru_cache(maxsize=1)
def read_failure_rows() -> tuple[FailureRow, ...]:
    """Return every row of the table of published failure figures."""
    with PUBLISHED.open(newline="", encoding="utf-8") as file:
        return tuple(FailureRow(**row) for row in csv.DictReader(file))


def list_failure_profiles() -> tuple[str, ...]:
    """Return the names of all known failure profiles."""
    return list_entries(KIND)


def load_failures(name_or_path: str | os.PathLike[str] = DEFAULT) -> FailureProfile:
    """Return a failure profile by its catalog name or from a TOML file.

    >>> load_failures().events
    419.0

    Raises UnknownNameError for a name that the catalog lacks, FormatError for a file that cannot be used.
    """
    entry = find_entry(KIND, name_or_path)
    return _load(entry, entry.version())


def failures_of(chip: Chip) -> FailureProfile:
    """Return the failure profile of a chip: its own where the catalog has one, else the default.

    >>> from tianji.catalog import load_chip
    >>> failures_of(load_chip("tpu-v5p")).name, failures_of(load_chip("ascend-910c")).name
    ('tpu', 'default')
    """
    return _profile_of(chip.name)


@lru_cache(maxsize=256)
def _profile_of(chip: str) -> FailureProfile:
    # Searches ask for every candidate: files are looked at once.
    own = (profile for name in list_failure_profiles() if chip in (profile := load_failures(name)).chips)
    return next(own, load_failures())


@lru_cache(maxsize=64)
def _load(entry: CatalogEntry, version: tuple[str, int, int]) -> FailureProfile:
    return read_failures(read_entry(KIND, entry))


def read_failures(table: TomlTable) -> FailureProfile:
    """Return the failure profile that a table describes."""
    causes = tuple(_read_cause(part) for part in table.children("causes"))
    if not causes:
        raise FormatError(f'{table.where("causes")}: expected at least one table [[causes]], or like = "{DEFAULT}"')
    rungs = tuple(_read_rung(part) for part in table.children("rungs"))
    if tuple(rung.name for rung in rungs) != RUNGS:
        raise FormatError(f"{table.where('rungs')}: expected the rungs {', '.join(RUNGS)}, in this order")
    profile = FailureProfile(
        name=table.text("name"),
        title=table.text("title"),
        node_rate=_need(table, "node_rate", *YEARLY),
        node=table.count("node"),
        causes=causes,
        rungs=rungs,
        domain_rates=_read_named(table, "domain_rates", DOMAINS, YEARLY),
        chips=table.texts("chips"),
        notes=table.texts("notes"),
        **{key: _need(table, key, *bounds) for key, bounds in FIGURES.items()},
    )
    table.finish()
    return profile


def _need(table: TomlTable, key: str, dimension: str, least: float, most: float) -> Figure:
    figure = table.figure(key, dimension, least, most)
    if figure is None:
        raise FormatError(
            f'{table.where(key)}: missing; expected a figure, or like = "{DEFAULT}" at the top of the file'
        )
    return figure


def _read_cause(part: TomlTable) -> Cause:
    cause = Cause(
        name=part.text("name"),
        component=part.choice("component", COMPONENTS),
        per=part.choice("per", ("chip", "node")),
        count=_need(part, "count", "count", 1e-12, 10.0**7),
    )
    part.finish()
    return cause


def _read_rung(part: TomlTable) -> Rung:
    rung = Rung(
        name=part.choice("name", RUNGS),
        detection=_need(part, "detection", *LENGTH),
        restart=_need(part, "restart", *LENGTH),
        covers=_read_named(part, "covers", COMPONENTS, SHARE),
    )
    part.finish()
    return rung


def _read_named(
    table: TomlTable, key: str, names: tuple[str, ...], bounds: tuple[str, float, float]
) -> dict[str, Figure]:
    inner = table.child(key)
    if inner is None:
        return {}
    figures = {name: figure for name in names if (figure := inner.figure(name, *bounds)) is not None}
    inner.finish()
    return figures
