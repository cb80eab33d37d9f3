"""Chips of the catalog, and of a user's own files."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from types import MappingProxyType

from tianji.catalog.entries import CatalogEntry, find_entry, list_entries, read_entry
from tianji.catalog.reader import TomlTable, span
from tianji.errors import FormatError, UnknownNameError
from tianji.hardware import DTYPES, Chip, Figure

ECOSYSTEMS = ("cuda", "cann", "rocm", "xla", "neuron", "other")
STATUSES = ("shipping", "ramping", "halted", "announced", "roadmap")
"""Sold; made in growing numbers, with nothing measured outside yet; sold once; shown; planned."""

FIGURES = {
    "memory": span("bytes", "1 MB", "4 TB"),
    "memory_bandwidth": span("bandwidth", "1 GB/s", "1 PB/s"),
    "scale_up_bandwidth": span("bandwidth", "1 MB/s", "1 PB/s"),
    "scale_out_bandwidth": span("bandwidth", "1 MB/s", "1 PB/s"),
    "host_bandwidth": span("bandwidth", "1 MB/s", "1 PB/s"),
    "host_memory": span("bytes", "1 MB", "1 PB"),
    "host_memory_bandwidth": span("bandwidth", "1 MB/s", "1 PB/s"),
    "power": span("power", "1 W", "1 MW"),
    "price": span("money", "1 USD", "1000000000 USD"),
    "year": span("count", "1970", "2100"),
}
"""For each figure of a chip its dimension and the least and the most that can be meant."""

PEAK = span("rate", "1 GFLOP/s", "500 PFLOP/s")


def list_chips() -> tuple[str, ...]:
    """Return the names of all known chips."""
    return list_entries("chips")


def load_chip(name_or_path: str | os.PathLike[str]) -> Chip:
    """Return a chip by its catalog name or from a TOML file.

    >>> load_chip("h100-sxm").matrix_peak("bf16")
    989000000000000.0

    Raises UnknownNameError for a name that the catalog lacks, FormatError for a file that cannot be used.
    """
    entry = find_entry("chips", name_or_path)
    return _load(entry, entry.version())


def find_chip(name: str) -> str:
    """Return the catalog's name of a chip that a table spells its own way: a title, a maker before it, a size behind it.

    >>> find_chip("TPU v7"), find_chip("MetaX C500 (64 GB)")
    ('tpu-v7', 'metax-c500')

    Raises UnknownNameError for a name that the catalog lacks.
    """
    wanted = _slug(name)
    if wanted in list_chips():
        return wanted
    known = {other: chip for chip in list_chips() for other in _spellings(chip)}
    if wanted not in known:
        raise UnknownNameError("chip", name, list_chips())
    return known[wanted]


def _slug(text: str) -> str:
    """Return a name in the catalog's letters, without what stands in brackets."""
    return re.sub(r"[^a-z0-9.]+", "-", re.sub(r"\([^)]*\)", "", text.lower())).strip("-")


@lru_cache(maxsize=256)
def _spellings(chip: str) -> tuple[str, ...]:
    entry = load_chip(chip)
    short = _slug(re.sub(r"\d+ ?GB|\bEdition\b", "", entry.title))
    return (short, f"{_slug(entry.vendor)}-{short}", f"{_slug(entry.vendor)}-{chip}")


@lru_cache(maxsize=256)
def _load(entry: CatalogEntry, version: tuple[str, int, int]) -> Chip:
    return read_chip(read_entry("chips", entry))


def read_chip(table: TomlTable) -> Chip:
    """Return the chip that a table describes."""
    figures = {key: table.figure(key, *bounds) for key, bounds in FIGURES.items()}
    peak, vector_peak = _read_peaks(table, "peak"), _read_peaks(table, "vector_peak")
    known = {key for key, figure in figures.items() if figure is not None}
    known |= {f"peak.{dtype}" for dtype in peak} | {f"vector_peak.{dtype}" for dtype in vector_peak}
    chip = Chip(
        name=table.text("name"),
        title=table.text("title"),
        vendor=table.text("vendor"),
        ecosystem=table.choice("ecosystem", ECOSYSTEMS),
        status=table.choice("status", STATUSES),
        peak=MappingProxyType(peak),
        vector_peak=MappingProxyType(vector_peak),
        **figures,
        scale_up_name=table.text("scale_up_name", ""),
        relative=table.text("relative", ""),
        notes=(*table.texts("notes"), *_read_unknown(table, known)),
    )
    table.finish()
    return chip


def _read_peaks(table: TomlTable, key: str) -> dict[str, Figure]:
    peaks = table.child(key)
    if peaks is None:
        return {}
    figures = {dtype: figure for dtype in DTYPES if (figure := peaks.figure(dtype, *PEAK)) is not None}
    peaks.finish()
    return figures


def _read_unknown(table: TomlTable, known: set[str]) -> tuple[str, ...]:
    """Return a note for each figure that the entry says nobody published, with the reason it gives."""
    unknown = table.child("unknown")
    if unknown is None:
        return ()
    for key in unknown.content:
        if key in known:
            raise FormatError(f"{unknown.where(key)}: this figure is given above, so it is not unknown; remove one")
    names = (*FIGURES, *(f"{kind}.{dtype}" for kind in ("peak", "vector_peak") for dtype in DTYPES))
    given = {key: unknown.text(key, "") for key in names if key in unknown.content}
    unknown.asked.update(names)
    unknown.finish()
    return tuple(f"{key} is not published: {reason}" for key, reason in given.items())
