"""JSON documents of the catalog's figures that an answer stands on, each with its publications."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tianji.catalog import find_sources
from tianji.hardware import Figure, Pool


def figure_document(figure: Figure) -> dict[str, Any]:
    """Return a figure with what contradicts it and the publications that it comes from."""
    return {
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "text": figure.text,
        "confidence": figure.confidence,
        "note": figure.note,
        "contradicts": list(figure.alternatives),
        "sources": [
            {"key": s.key, "title": s.title, "url": s.url, "kind": s.kind} for s in find_sources(figure.source)
        ],
    }


def figures_document(pool: Pool, dtypes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the published figures that times and memory on a pool stand on: rates in these dtypes, memory, links."""
    return [
        {"of": owner, "name": name, **figure_document(figure)} for owner, name, figure in _used(pool, dtypes) if figure
    ]


def site_figures_document(pool: Pool) -> list[dict[str, Any]]:
    """Return the published figures of a pool's power, price and room."""
    named = [(pool.chip.name, n, getattr(pool.chip, n)) for n in ("power", "price")]
    named += [(pool.name, n, getattr(pool, n)) for n in ("power", "price", "cabinets", "area")]
    return [{"of": owner, "name": name, **figure_document(figure)} for owner, name, figure in named if figure]


def _used(pool: Pool, dtypes: tuple[str, ...]) -> Iterator[tuple[str, str, Figure | None]]:
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
