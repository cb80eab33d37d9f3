"""The documents of ``tianji browse``: lists with the main figures, and whole entries with every figure's source."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, TypedDict

from tianji.catalog import (
    Source,
    find_sources,
    list_calibrations,
    list_chips,
    list_models,
    list_pools,
    list_sites,
    list_software,
    load_calibration,
    load_chip,
    load_framework,
    load_pool,
    load_quotes,
    load_site,
)
from tianji.catalog.failures import list_failure_profiles, load_failures
from tianji.catalog.mixtures import list_mixtures, load_mixture
from tianji.catalog.models import describe_model
from tianji.catalog.prices import list_prices
from tianji.parallel.records import encode
from tianji.report.documents.catalog_rows import ROWS, EntryRow
from tianji.report.documents.cited_figures import PublicationDocument, publication_document

KINDS = {
    "chips": list_chips, "pools": list_pools, "models": list_models, "calibrations": list_calibrations,
    "failures": list_failure_profiles, "mixtures": list_mixtures, "sites": list_sites, "prices": list_prices,
    "software": list_software,
}  # fmt: skip
"""The kinds of entries, and the function that names all of one."""
LOADERS: dict[str, Callable[[str], Any]] = {
    "chips": load_chip, "pools": load_pool, "models": describe_model, "calibrations": load_calibration,
    "failures": load_failures, "mixtures": load_mixture, "sites": load_site, "prices": load_quotes,
    "software": load_framework,
}  # fmt: skip


class CatalogListDocument(TypedDict):
    """All entries of one kind."""

    kind: str
    names: list[str]
    entries: list[EntryRow]
    """The main figures of each; null is not published. The rows of one kind have the same keys."""


class CatalogDocument(TypedDict):
    """All that ``tianji browse`` and ``tianji browse KIND`` answer."""

    document: Literal["catalog"]
    lists: list[CatalogListDocument]


class EntryDocument(TypedDict):
    """All that ``tianji browse KIND NAME`` answers: one entry, every figure with its source."""

    document: Literal["entry"]
    kind: str
    name: str
    entry: Any
    """The entry with the fields of its file; a figure has ``value``, ``low``, ``high``, ``text``, ``source`` and more."""
    sources: dict[str, PublicationDocument]
    """The publications that the entry names, by key."""


def catalog_document(kinds: Iterable[str]) -> CatalogDocument:
    """Return the lists of these kinds."""
    return {"document": "catalog", "lists": [list_document(kind) for kind in kinds]}


def list_document(kind: str) -> CatalogListDocument:
    """Return the names and the main figures of all entries of a kind."""
    names = list(KINDS[kind]())
    return {"kind": kind, "names": names, "entries": [ROWS[kind](name) for name in names]}


def entry_document(kind: str, name: str) -> EntryDocument:
    """Return one entry, every figure with its source and what contradicts it, and the publications themselves.

    Raises UnknownNameError for a name that no entry has.
    """
    loaded = LOADERS[kind](name)
    entry = _model_entry(loaded) if kind == "models" else encode(loaded)
    sources = {s.key or s.title: publication_document(s) for s in sources_in(entry)}
    return {
        "document": "entry",
        "kind": kind,
        "name": getattr(loaded, "name", name),
        "entry": entry,
        "sources": sources,
    }


def _model_entry(model: Any) -> dict[str, Any]:
    return {
        "title": model.title,
        "source": model.source,
        "confidence": model.confidence,
        "note": model.note,
        "config": encode(model.model),
        "num_parameters": model.model.num_parameters,
        "num_active_parameters": model.model.num_active_parameters,
        "layers": dict(model.model.layer_titles),
        "published": [
            {"what": p.what, "counts": list(p.counts), "counted": p.counted, "difference": p.difference,
             "figure": encode(p.figure)}
            for p in model.published
        ],
        "training": model.training,
    }  # fmt: skip


def sources_in(entry: object) -> list[Source]:
    """Return the publications that a document names under any key ``source``, each once, in order."""
    texts = dict.fromkeys(_texts(entry))
    return list({s.key or s.title: s for text in texts for s in find_sources(text)}.values())


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, dict):
        source = value.get("source")
        if isinstance(source, str) and source:
            yield source
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
