"""Mixtures of the catalog, and of a user's own files: parts that are pools, and the tier that joins them."""

from __future__ import annotations

import os

from tianji.catalog.entries import CatalogEntry, find_entry, is_path, list_entries, read_entry
from tianji.catalog.pools import LATENCY, OVERSUBSCRIPTION, TIER_BANDWIDTH, TIER_KINDS, load_pool
from tianji.catalog.reader import TomlTable, read_toml
from tianji.errors import FormatError, InputError
from tianji.hardware import TOPOLOGIES, Pool, Tier
from tianji.hardware.mixture import Mixture

KIND = "mixtures"
MOST_PARTS = 4


def list_mixtures() -> tuple[str, ...]:
    """Return the names of all known mixtures."""
    return list_entries(KIND)


def is_mixture(name_or_path: str | os.PathLike[str]) -> bool:
    """Return whether a text names a mixture: an entry of the catalog, or a file with ``[[parts]]``."""
    text = os.fspath(name_or_path)
    if isinstance(name_or_path, str) and not is_path(text):
        return text.strip().lower() in list_mixtures()
    try:
        return "parts" in read_toml(find_entry(KIND, name_or_path).path)
    except InputError:
        return False


def load_mixture(name_or_path: str | os.PathLike[str]) -> Mixture:
    """Return a mixture by its catalog name or from a TOML file.

    Raises UnknownNameError for a name that the catalog lacks and FormatError for a file that cannot be used.
    """
    entry = find_entry(KIND, name_or_path)
    return read_mixture(read_entry(KIND, entry), entry)


def read_mixture(table: TomlTable, entry: CatalogEntry) -> Mixture:
    """Return the mixture that a table describes; the path of a part's pool counts from the file's folder."""
    parts = tuple(_read_part(part, entry) for part in table.children("parts"))
    if not 2 <= len(parts) <= MOST_PARTS:
        raise FormatError(f"{table.where('parts')}: expected 2 to {MOST_PARTS} tables [[parts]], got {len(parts)}")
    joint = table.child("joint")
    if joint is None:
        raise FormatError(f"{table.where('joint')}: missing; expected a table [joint], the tier between the parts")
    mixture = Mixture(table.text("name"), table.text("title"), parts, _read_joint(joint, parts), table.texts("notes"))
    table.finish()
    return mixture


def _read_part(part: TomlTable, entry: CatalogEntry) -> Pool:
    name = part.text("pool")
    chips = part.count("chips")
    part.finish()
    return load_pool(entry.path.parent / name if is_path(name) else name, chips)


def _read_joint(joint: TomlTable, parts: tuple[Pool, ...]) -> Tier:
    tier = Tier(
        name=joint.text("name", "joint"),
        topology=joint.choice("topology", TOPOLOGIES, "clos"),
        span=0,
        bandwidth=joint.figure("bandwidth", *TIER_BANDWIDTH),
        latency=joint.figure("latency", *LATENCY),
        oversubscription=joint.number("oversubscription", *OVERSUBSCRIPTION, default=1.0),
        kind=joint.choice("kind", TIER_KINDS, "scale-out"),
    )
    joint.finish()
    if tier.bandwidth is None:
        names = " and ".join(part.name for part in parts)
        raise FormatError(f"{joint.where('bandwidth')}: missing; expected what one chip sends between {names}")
    return tier
