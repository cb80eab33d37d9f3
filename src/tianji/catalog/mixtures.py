"""Mixtures of the catalog, and of a user's own files: parts that are pools, and the tier that joins them."""

from __future__ import annotations

import os
import re
from dataclasses import replace

from tianji.catalog.entries import CatalogEntry, find_entry, is_path, list_entries, read_entry
from tianji.catalog.pools import LATENCY, OVERSUBSCRIPTION, TIER_BANDWIDTH, TIER_KINDS, load_pool
from tianji.catalog.reader import TomlTable, read_toml
from tianji.errors import FormatError, InputError, UnknownNameError
from tianji.hardware import TOPOLOGIES, Pool, Tier
from tianji.hardware.mixture import Mixture
from tianji.units import parse_count

KIND = "mixtures"
MOST_PARTS = 4
SIZED = re.compile(r"(?P<count>[\d_,]+)\s*[x×]\s*(?P<name>[^+@]+)", re.IGNORECASE)
"""A pool of a sum, with its chips."""
HOW = (
    "A file with [[parts]] and a [joint] says what a sum of pools does not (`tianji browse mixtures`; docs/catalog.md)."
)


def list_mixtures() -> tuple[str, ...]:
    """Return the names of all known mixtures."""
    return list_entries(KIND)


def is_mixture(name_or_path: str | os.PathLike[str]) -> bool:
    """Return whether a text names a mixture: an entry of the catalog, a file with ``[[parts]]``, or a sum of pools."""
    text = os.fspath(name_or_path)
    if is_sum(text):
        return True
    if isinstance(name_or_path, str) and not is_path(text):
        return text.strip().lower() in list_mixtures()
    try:
        return "parts" in read_toml(find_entry(KIND, name_or_path).path)
    except InputError:
        return False


def is_sum(text: str) -> bool:
    """Return whether a text is a sum of pools with their chips.

    >>> is_sum("256xhgx-h800+128xatlas-900-a2"), is_sum("hgx-h800"), is_sum("one+two.toml")
    (True, False, False)
    """
    parts = text.split("+")
    return len(parts) > 1 and all(SIZED.fullmatch(part.strip()) for part in parts)


def add_pools(text: str) -> Mixture:
    """Return the mixture that a sum of pools makes: they meet over their outer networks, at the rate of the slowest.

    Raises FormatError for a sum that cannot be joined so, UnknownNameError for a pool that the catalog lacks.
    """
    parts = []
    for part in text.split("+"):
        sized = SIZED.fullmatch(part.strip())
        assert sized is not None
        try:
            parts.append(load_pool(sized["name"], parse_count(sized["count"], part.strip())))
        except UnknownNameError as error:
            raise FormatError(f"{text}: {error} {HOW}") from None
    if not 2 <= len(parts) <= MOST_PARTS:
        raise FormatError(f"{text}: expected 2 to {MOST_PARTS} pools in a sum, got {len(parts)}")
    for pool in parts:
        outer = pool.tiers[-1]
        if outer.kind != "scale-out" or outer.bandwidth is None:
            raise FormatError(f"{text}: {pool.name} has no network that another pool could meet it over. {HOW}")
    slowest = min((pool.tiers[-1] for pool in parts), key=lambda tier: tier.rate("joint"))
    joint = replace(slowest, name=f"joint at the rate of {slowest.name}", span=0)
    title = " and ".join(f"{pool.chips:,} {pool.chip.title}" for pool in parts)
    return Mixture(text.strip(), f"{title}, joined by the slower network", tuple(parts), joint)


def load_mixture(name_or_path: str | os.PathLike[str]) -> Mixture:
    """Return a mixture by its catalog name, from a TOML file, or of a sum of pools.

    Raises UnknownNameError for a name that the catalog lacks and FormatError for a file that cannot be used.
    """
    if is_sum(os.fspath(name_or_path)):
        return add_pools(os.fspath(name_or_path))
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
