"""JSON documents of the catalog: lists, and whole entries with every figure's source."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tianji.catalog import (
    find_sources,
    list_calibrations,
    list_chips,
    list_models,
    list_pools,
    list_sites,
    load_calibration,
    load_chip,
    load_pool,
    load_quotes,
    load_site,
)
from tianji.catalog.failures import list_failure_profiles, load_failures
from tianji.catalog.mixtures import list_mixtures, load_mixture
from tianji.catalog.models import describe_model
from tianji.catalog.prices import list_prices
from tianji.parallel.records import encode

KINDS = {
    "chips": list_chips, "pools": list_pools, "models": list_models, "calibrations": list_calibrations,
    "failures": list_failure_profiles, "mixtures": list_mixtures, "sites": list_sites, "prices": list_prices,
}  # fmt: skip
"""The kinds of entries, and the function that names all of one."""
LOADERS: dict[str, Callable[[str], Any]] = {
    "chips": load_chip, "pools": load_pool, "models": describe_model, "calibrations": load_calibration,
    "failures": load_failures, "mixtures": load_mixture, "sites": load_site, "prices": load_quotes,
}  # fmt: skip


def list_document(kind: str) -> dict[str, Any]:
    """Return the names of all entries of a kind."""
    return {"kind": kind, "names": list(KINDS[kind]())}


def entry_document(kind: str, name: str) -> dict[str, Any]:
    """Return one entry, every figure with its source and what contradicts it, and the publications themselves.

    Raises UnknownNameError for a name that no entry has.
    """
    found = LOADERS[kind](name)
    if kind == "models":
        entry = {
            "title": found.title,
            "source": found.source,
            "confidence": found.confidence,
            "note": found.note,
            "config": encode(found.model),
            "num_parameters": found.model.num_parameters,
            "num_active_parameters": found.model.num_active_parameters,
            "published": [
                {"what": p.what, "counts": list(p.counts), "counted": p.counted, "difference": p.difference,
                 "figure": encode(p.figure)}
                for p in found.published
            ],
            "training": found.training,
        }  # fmt: skip
    else:
        entry = encode(found)
    sources = {s.key or s.title: {"title": s.title, "url": s.url, "kind": s.kind} for s in sources_in(entry)}
    return {"kind": kind, "name": getattr(found, "name", name), "entry": entry, "sources": sources}


def sources_in(entry: object) -> list[Any]:
    """Return the publications that a document names under any key ``source``, each once, in order."""
    texts = dict.fromkeys(_texts(entry))
    found = {s.key or s.title: s for text in texts for s in find_sources(text)}
    return list(found.values())


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
