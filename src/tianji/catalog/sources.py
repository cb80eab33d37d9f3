"""The publications that the catalog's figures come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from tianji.catalog.reader import TomlTable, read_toml

FILE = Path(__file__).parent / "data" / "sources.toml"
KINDS = ("official", "official_tool", "paper", "analyst", "secondary", "press", "unverified", "estimate")


@dataclass(frozen=True, slots=True)
class Source:
    """One publication, or, without a key, the words of a user's own file."""

    key: str
    title: str
    url: str = ""
    """The address, or words where there is none of its own."""
    kind: str = ""
    note: str = ""


@lru_cache(maxsize=1)
def load_sources() -> Mapping[str, Source]:
    """Return every publication of the catalog by its key."""
    table = TomlTable(read_toml(FILE), FILE.name)
    sources = {}
    for key in table.content:
        entry = table.child(key)
        assert entry is not None
        sources[key] = Source(
            key, entry.text("title"), entry.text("url", ""), entry.choice("kind", KINDS), entry.text("note", "")
        )
        entry.finish()
    return MappingProxyType(sources)


def find_sources(text: str) -> tuple[Source, ...]:
    """Return the publications that a figure's source names, comma by comma.

    A text without a known key is a user's own words and comes back whole, as one source without a key.

    >>> [source.kind for source in find_sources("MSMODEL, EPOCH")]
    ['official_tool', 'secondary']
    >>> find_sources("Smith, our own tests")
    (Source(key='', title='Smith, our own tests', url='', kind='', note=''),)
    """
    known = load_sources()
    parts = [part.strip() for part in text.split(",")]
    if not any(part in known for part in parts):
        return (Source("", text.strip()),)
    return tuple(known.get(part, Source("", part)) for part in parts if part)
