"""``browse``: what is known of chips, pools, models, calibrations, failures, sites and prices, and from where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tianji.api.answer import Answer
from tianji.api.presenting import Presentation
from tianji.errors import FormatError, UnknownNameError
from tianji.report.documents.catalog import KINDS, LOADERS, entry_document, list_document

if TYPE_CHECKING:
    from rich.console import Console


def browse(kind: str | None = None, name: str | None = None) -> Answer[Any]:
    """List and show what is known, each figure with its source (``tianji catalog``).

    ``kind`` is chips, pools, models, calibrations, failures, mixtures, sites or prices,
    and ``name`` one entry of it, or the path of your own file; a name that is unique
    needs no kind. ``answer.result`` is the entry, or the names of a kind, or those of
    every kind.

    >>> browse("h200").name, "hgx-h100" in browse("pools").result
    ('h200', True)

    Raises UnknownNameError, with the nearest names, for what nobody knows.
    """
    if kind is not None and kind not in KINDS:
        kind, name = find_kind(kind, name)
    if kind is not None and name is not None:
        return Answer(LOADERS[kind](name), EntryPresentation(kind, name))
    if kind is not None:
        return Answer(KINDS[kind](), ListPresentation(kind))
    return Answer({kind: names() for kind, names in KINDS.items()}, CatalogPresentation())


def find_kind(word: str, name: str | None) -> tuple[str, str]:
    """Return kind and name of an entry that was named without its kind.

    Raises UnknownNameError, or FormatError where several kinds have an entry of that name.
    """
    lists = {kind: names() for kind, names in KINDS.items()}
    places = [kind for kind, names in lists.items() if word.lower() in names]
    if name is None and len(places) == 1:
        return places[0], word
    if name is None and places:
        raise FormatError(
            f"{word}: there is one of that name in {' and in '.join(places)}; say which, like {places[0]} {word}"
        )
    known = KINDS if name is not None else [*KINDS, *(n for names in lists.values() for n in names)]
    raise UnknownNameError("kind" if name is not None else "kind or entry", word, known)


@dataclass(frozen=True)
class EntryPresentation(Presentation):
    """What is shown of one entry."""

    entry_kind: str
    name: str

    def summary(self) -> str:
        """Return its kind and its name."""
        return f"{self.entry_kind.removesuffix('s')} {self.name} of the catalog"

    def make_document(self) -> Mapping[str, Any]:
        """Return every figure with its source and what contradicts it."""
        return entry_document(self.entry_kind, self.name)

    def print_tables(self, console: Console) -> None:
        """Print the same."""
        from tianji.report.catalog_tables import print_entry

        print_entry(console, self.entry_kind, self.name)


@dataclass(frozen=True)
class ListPresentation(Presentation):
    """What is shown of one kind."""

    entry_kind: str

    def summary(self) -> str:
        """Return the kind and how many there are."""
        return f"{len(KINDS[self.entry_kind]())} {self.entry_kind} of the catalog"

    def make_document(self) -> Mapping[str, Any]:
        """Return the names."""
        return list_document(self.entry_kind)

    def print_tables(self, console: Console) -> None:
        """Print all with their main figures."""
        from tianji.report.catalog_tables import print_list

        print_list(console, self.entry_kind)
        console.print()


@dataclass(frozen=True)
class CatalogPresentation(Presentation):
    """What is shown of all kinds."""

    def summary(self) -> str:
        """Return the kinds and how many there are of each."""
        return f"catalog: {', '.join(f'{len(names())} {kind}' for kind, names in KINDS.items())}"

    def make_document(self) -> Mapping[str, Any]:
        """Return the names of every kind."""
        return {kind: list_document(kind)["names"] for kind in KINDS}

    def print_tables(self, console: Console) -> None:
        """Print all lists."""
        for kind in KINDS:
            ListPresentation(kind).print_tables(console)
