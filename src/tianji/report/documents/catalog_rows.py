"""The rows of ``tianji browse``'s lists: the main figures of each entry, with a type for each kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from tianji.catalog import (
    complete_software,
    load_calibration,
    load_chip,
    load_framework,
    load_pool,
    load_quotes,
    load_site,
)
from tianji.catalog.failures import load_failures
from tianji.catalog.mixtures import load_mixture
from tianji.catalog.models import describe_model
from tianji.hardware import Figure
from tianji.hardware.software import Software
from tianji.report.documents.ranges import RangeDocument


class ChipRow(TypedDict):
    """A chip in the list of chips; null is not published."""

    name: str
    bf16_flops_per_s: float | None
    fp8_flops_per_s: float | None
    memory_bytes: float | None
    memory: str | None
    memory_bandwidth_bytes_per_s: float | None
    scale_up_bytes_per_s: float | None
    """One way, inside the pod."""
    scale_out_bytes_per_s: float | None
    status: str


class PoolRow(TypedDict):
    """A pool in the list of pools."""

    name: str
    chips: int
    chip: str
    tier_spans: list[int | None]
    """Units that one unit of each tier joins, innermost first; null: any number."""
    status: str


class ModelRow(TypedDict):
    """A model in the list of models."""

    name: str
    num_parameters: int
    num_active_parameters: int
    num_layers: int
    hidden_size: int
    trained_tokens: float | None


class CalibrationRow(TypedDict):
    """A calibration in the list of calibrations."""

    name: str
    date: str | None
    num_chips: int
    note: str


class FailuresRow(TypedDict):
    """A failure profile in the list of failure profiles."""

    name: str
    node_failures_per_day: RangeDocument
    node_chips: int
    title: str


class MixturePartRow(TypedDict):
    """A part of a mixture in the list of mixtures."""

    pool: str
    chips: int


class MixtureRow(TypedDict):
    """A mixture in the list of mixtures."""

    name: str
    chips: int
    parts: list[MixturePartRow]
    joint: str
    joint_bandwidth_bytes_per_s: float | None
    joint_bandwidth: str | None


class SiteRow(TypedDict):
    """A site in the list of sites."""

    name: str
    electricity_usd_per_kwh: float | None
    carbon_kg_per_kwh: float | None
    pue_air: float | None
    pue_liquid: float | None
    title: str


class PricesRow(TypedDict):
    """A price list in the list of price lists."""

    name: str
    num_quotes: int
    chips: list[str]


class SoftwareRow(TypedDict):
    """A framework in the list of software."""

    name: str
    title: str
    ecosystems: list[str]
    newest_release: str | None
    switches: dict[str, str]
    """Of the newest release: the way that each switch stands."""


EntryRow = ChipRow | PoolRow | ModelRow | CalibrationRow | FailuresRow | MixtureRow | SiteRow | PricesRow | SoftwareRow


def _value(figure: Figure | None) -> float | None:
    return None if figure is None else figure.value


def _chip(name: str) -> ChipRow:
    chip = load_chip(name)
    half = chip.peak.get("bf16", chip.peak.get("fp16"))
    return {
        "name": name,
        "bf16_flops_per_s": _value(half),
        "fp8_flops_per_s": _value(chip.peak.get("fp8")),
        "memory_bytes": _value(chip.memory),
        "memory": chip.memory.text if chip.memory else None,
        "memory_bandwidth_bytes_per_s": _value(chip.memory_bandwidth),
        "scale_up_bytes_per_s": _value(chip.scale_up_bandwidth),
        "scale_out_bytes_per_s": _value(chip.scale_out_bandwidth),
        "status": chip.status,
    }


def _pool(name: str) -> PoolRow:
    pool = load_pool(name)
    spans = [tier.span or None for tier in pool.tiers]
    return {"name": name, "chips": pool.chips, "chip": pool.chip.name, "tier_spans": spans, "status": pool.status}


def _model(name: str) -> ModelRow:
    entry = describe_model(name)
    model, run = entry.model, entry.training
    return {
        "name": name,
        "num_parameters": model.num_parameters,
        "num_active_parameters": model.num_active_parameters,
        "num_layers": model.num_layers,
        "hidden_size": model.hidden_size,
        "trained_tokens": (run["tokens"] or None) if run else None,
    }


def _calibration(name: str) -> CalibrationRow:
    calibration = load_calibration(name)
    note = calibration.note or ("pure datasheet physics" if name == "none" else "")
    return {"name": name, "date": calibration.date or None, "num_chips": len(calibration.chips), "note": note}


def _failures(name: str) -> FailuresRow:
    profile = load_failures(name)
    low, high = profile.node_rate.at("low"), profile.node_rate.at("high")
    span: RangeDocument = {"low": low, "nominal": profile.node_rate.value, "high": high}
    return {"name": name, "node_failures_per_day": span, "node_chips": profile.node, "title": profile.title}


def _mixture(name: str) -> MixtureRow:
    mixture = load_mixture(name)
    parts: list[MixturePartRow] = [{"pool": part.name, "chips": part.chips} for part in mixture.parts]
    bandwidth = mixture.joint.bandwidth
    return {
        "name": name,
        "chips": mixture.chips,
        "parts": parts,
        "joint": mixture.joint.name,
        "joint_bandwidth_bytes_per_s": _value(bandwidth),
        "joint_bandwidth": bandwidth.text if bandwidth else None,
    }


def _site(name: str) -> SiteRow:
    site = load_site(name)
    return {
        "name": name,
        "electricity_usd_per_kwh": _value(site.electricity),
        "carbon_kg_per_kwh": _value(site.carbon),
        "pue_air": _value(site.pue_air),
        "pue_liquid": _value(site.pue_liquid),
        "title": site.title,
    }


def _prices(name: str) -> PricesRow:
    quotes = load_quotes(name)
    return {"name": name, "num_quotes": len(quotes), "chips": list(dict.fromkeys(quote.chip for quote in quotes))}


def _software(name: str) -> SoftwareRow:
    framework = load_framework(name)
    newest = complete_software(Software(name), framework.ecosystems[0])
    return {
        "name": name,
        "title": framework.title,
        "ecosystems": list(framework.ecosystems),
        "newest_release": framework.newest or None,
        "switches": newest.switches,
    }


ROWS: dict[str, Callable[[str], EntryRow]] = {
    "chips": _chip, "pools": _pool, "models": _model, "calibrations": _calibration, "failures": _failures,
    "mixtures": _mixture, "sites": _site, "prices": _prices, "software": _software,
}  # fmt: skip
"""The row of an entry, by its kind."""
