"""The document of ``tianji calibrate --here``: what was measured of this machine at each number of chips at work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from tianji.backends.microbenchmarks.measure_machine import Size
from tianji.report.documents.checked_lines import machine_line
from tianji.report.documents.three_lines import BottomLineDocument


class FittedDocument(TypedDict):
    """A constant and how well it is known."""

    value: float
    standard_error: float | None
    """Relative; null: the samples show nothing of it."""
    samples: int
    source: str


class MeasuredSizeDocument(TypedDict):
    """So many chips of this machine, all at work; rates in SI units of one chip."""

    chips: int
    chip: str
    processors: float
    threads: int
    peak: dict[str, float]
    """Operations a second by dtype."""
    memory_bandwidth: float
    link_bandwidth: float | None
    """Null where a chip is alone."""
    noise: float
    """What one repeat is off by."""
    misfit: float
    """What the fit misses its samples by."""
    constants: dict[str, FittedDocument]
    samples: list[dict[str, Any]]
    """Each with its probe, the facts that the fit needs, seconds of each round, and noise."""


class MachineDocument(TypedDict):
    """A machine as a pool."""

    document: Literal["machine"]
    bottom_line: BottomLineDocument
    pool: str
    """The file of the pool."""
    calibration: str
    """The file of its calibration."""
    sizes: list[MeasuredSizeDocument]


def machine_document(sizes: Sequence[Size], pool: str, calibration: str) -> MachineDocument:
    """Return what was measured as plain values, in SI units."""
    largest = sizes[-1]
    noise, misfit = (max(getattr(size.findings, name) for size in sizes) for name in ("noise", "misfit"))
    return {
        "document": "machine",
        "bottom_line": machine_line(largest.chips, largest.survey.chip, noise, misfit),
        "pool": pool,
        "calibration": calibration,
        "sizes": [_size_document(size) for size in sizes],
    }


def _size_document(size: Size) -> MeasuredSizeDocument:
    survey, findings = size.survey, size.findings
    return {
        "chips": size.chips,
        "chip": survey.chip,
        "processors": survey.processors,
        "threads": survey.threads,
        "peak": dict(findings.peak),
        "memory_bandwidth": findings.memory_bandwidth,
        "link_bandwidth": findings.link_bandwidth or None,
        "noise": findings.noise,
        "misfit": findings.misfit,
        "constants": {
            name: {"value": f.value, "standard_error": f.error, "samples": f.samples, "source": f.source}
            for name, f in findings.constants.items()
        },
        "samples": [
            {"probe": s.probe, **s.facts, "seconds": list(s.seconds), "noise": s.noise} for s in survey.samples
        ],
    }
