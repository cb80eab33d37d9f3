"""The catalog's figures that an answer stands on, each with its publications."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypedDict

from tianji.catalog import Source, find_sources, load_sources
from tianji.hardware import Figure, Pool


class PublicationDocument(TypedDict):
    """A publication."""

    key: str
    title: str
    url: str
    kind: str


class FigureDocument(TypedDict):
    """A published figure; ``low`` and ``high`` are the ends that its sources leave open, where they do."""

    value: float
    low: float | None
    high: float | None
    text: str
    """As its source prints it."""
    confidence: str
    note: str
    contradicts: list[str]
    sources: list[PublicationDocument]


class CitedFigureDocument(FigureDocument):
    """A published figure that an answer used."""

    of: str
    """The chip, pool, site or profile that it is a figure of."""
    name: str


def figure_document(figure: Figure) -> FigureDocument:
    """Return a figure with what contradicts it and the publications that it comes from."""
    return {
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "text": figure.text,
        "confidence": figure.confidence,
        "note": figure.note,
        "contradicts": list(figure.alternatives),
        "sources": [publication_document(source) for source in find_sources(figure.source)],
    }


def publications_in(texts: Iterable[str]) -> list[PublicationDocument]:
    """Return the publications whose keys stand in texts, each once."""
    known = load_sources()
    keys = dict.fromkeys(word for text in texts for word in re.findall(r"[A-Z0-9][A-Z0-9-]+", text) if word in known)
    return [publication_document(known[key]) for key in keys]


def publication_document(source: Source) -> PublicationDocument:
    """Return one publication."""
    return {"key": source.key, "title": source.title, "url": source.url, "kind": source.kind}


def figures_document(pool: Pool, dtypes: tuple[str, ...]) -> list[CitedFigureDocument]:
    """Return the published figures that times and memory on a pool stand on: rates in these dtypes, memory, links."""
    return [cite(owner, name, figure) for owner, name, figure in _figures_used(pool, dtypes) if figure]


def site_figures_document(pool: Pool) -> list[CitedFigureDocument]:
    """Return the published figures of a pool's power, price and room."""
    named = [(pool.chip.name, n, getattr(pool.chip, n)) for n in ("power", "price")]
    named += [(pool.name, n, getattr(pool, n)) for n in ("power", "price", "cabinets", "area")]
    return [cite(owner, name, figure) for owner, name, figure in named if figure]


def cite(owner: str, name: str, figure: Figure) -> CitedFigureDocument:
    """Return a figure with whose and which it is."""
    return {"of": owner, "name": name, **figure_document(figure)}


def _figures_used(pool: Pool, dtypes: tuple[str, ...]) -> Iterator[tuple[str, str, Figure | None]]:
    chip = pool.chip
    for dtype in dict.fromkeys(dtypes):
        yield chip.name, f"dense {dtype} peak", chip.peak.get(dtype)
    for dtype, figure in chip.vector_peak.items():
        yield chip.name, f"vector {dtype} peak", figure
    yield chip.name, "memory", chip.memory
    yield chip.name, "memory bandwidth", chip.memory_bandwidth
    yield chip.name, "bandwidth to the host", chip.host_bandwidth
    for tier in pool.tiers:
        yield pool.name, f"{tier.name}: bandwidth of a chip, one direction", tier.bandwidth
        yield pool.name, f"{tier.name}: latency", tier.latency
