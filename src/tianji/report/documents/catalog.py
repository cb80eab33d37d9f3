"""The documents of ``tianji browse``: lists with the main figures, and whole entries with every figure's source."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, TypedDict

from tianji.catalog import (
    Source,
    complete_software,
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
from tianji.hardware import Figure
from tianji.hardware.software import Software
from tianji.parallel.records import encode
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
    entries: list[dict[str, Any]]
    """The main figures of each; null is not published. The keys are those of the kind, with their units."""


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
    return {"kind": kind, "names": names, "entries": [{"name": name, **_MAIN[kind](name)} for name in names]}


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


# --- main figures ---------------------------------------------------------------------------------------------
def _value(figure: Figure | None) -> float | None:
    return None if figure is None else figure.value


def _chip(name: str) -> dict[str, Any]:
    chip = load_chip(name)
    half = chip.peak.get("bf16", chip.peak.get("fp16"))
    return {
        "bf16_flops_per_s": _value(half),
        "fp8_flops_per_s": _value(chip.peak.get("fp8")),
        "memory_bytes": _value(chip.memory),
        "memory": chip.memory.text if chip.memory else None,
        "memory_bandwidth_bytes_per_s": _value(chip.memory_bandwidth),
        "scale_up_bytes_per_s": _value(chip.scale_up_bandwidth),
        "scale_out_bytes_per_s": _value(chip.scale_out_bandwidth),
        "status": chip.status,
    }


def _pool(name: str) -> dict[str, Any]:
    pool = load_pool(name)
    spans = [tier.span or None for tier in pool.tiers]
    return {"chips": pool.chips, "chip": pool.chip.name, "tier_spans": spans, "status": pool.status}


def _model(name: str) -> dict[str, Any]:
    entry = describe_model(name)
    model, run = entry.model, entry.training
    return {
        "num_parameters": model.num_parameters,
        "num_active_parameters": model.num_active_parameters,
        "num_layers": model.num_layers,
        "hidden_size": model.hidden_size,
        "trained_tokens": (run["tokens"] or None) if run else None,
    }


def _calibration(name: str) -> dict[str, Any]:
    calibration = load_calibration(name)
    note = calibration.note or ("pure datasheet physics" if name == "none" else "")
    return {"date": calibration.date or None, "num_chips": len(calibration.chips), "note": note}


def _failures(name: str) -> dict[str, Any]:
    profile = load_failures(name)
    low, high = profile.node_rate.at("low"), profile.node_rate.at("high")
    span = {"low": low, "nominal": profile.node_rate.value, "high": high}
    return {"node_failures_per_day": span, "node_chips": profile.node, "title": profile.title}


def _mixture(name: str) -> dict[str, Any]:
    mixture = load_mixture(name)
    parts = [{"pool": part.name, "chips": part.chips} for part in mixture.parts]
    bandwidth = mixture.joint.bandwidth
    return {
        "chips": mixture.chips,
        "parts": parts,
        "joint": mixture.joint.name,
        "joint_bandwidth_bytes_per_s": _value(bandwidth),
        "joint_bandwidth": bandwidth.text if bandwidth else None,
    }


def _site(name: str) -> dict[str, Any]:
    site = load_site(name)
    return {
        "electricity_usd_per_kwh": _value(site.electricity),
        "carbon_kg_per_kwh": _value(site.carbon),
        "pue_air": _value(site.pue_air),
        "pue_liquid": _value(site.pue_liquid),
        "title": site.title,
    }


def _prices(name: str) -> dict[str, Any]:
    quotes = load_quotes(name)
    return {"num_quotes": len(quotes), "chips": list(dict.fromkeys(quote.chip for quote in quotes))}


def _software(name: str) -> dict[str, Any]:
    framework = load_framework(name)
    newest = complete_software(Software(name), framework.ecosystems[0])
    return {
        "title": framework.title,
        "ecosystems": list(framework.ecosystems),
        "newest_release": framework.newest or None,
        "switches": newest.switches,
    }


_MAIN: dict[str, Callable[[str], dict[str, Any]]] = {
    "chips": _chip, "pools": _pool, "models": _model, "calibrations": _calibration, "failures": _failures,
    "mixtures": _mixture, "sites": _site, "prices": _prices, "software": _software,
}  # fmt: skip
