"""The document of ``tianji calibrate --here``: what was measured of this machine, for each number of chips at work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tianji.backends.microbenchmarks.measure_machine import Size


def measured_pool_document(sizes: Sequence[Size], pool: str, calibration: str) -> Mapping[str, Any]:
    """Return figures, constants and every sample as plain values, in SI units; samples have keys of their own kind."""
    return {
        "document": "measured_pool",
        "pool": pool,
        "calibration": calibration,
        "sizes": [
            {
                "chips": size.chips,
                "chip": size.survey.chip,
                "processors": size.survey.processors,
                "threads": size.survey.threads,
                "peak": dict(size.findings.peak),
                "memory_bandwidth": size.findings.memory_bandwidth,
                "link_bandwidth": size.findings.link_bandwidth or None,
                "noise": size.findings.noise,
                "misfit": size.findings.misfit,
                "constants": {
                    name: {"value": f.value, "standard_error": f.error, "samples": f.samples, "source": f.source}
                    for name, f in size.findings.constants.items()
                },
                "samples": [
                    {"probe": s.probe, **s.facts, "seconds": list(s.seconds), "noise": s.noise}
                    for s in size.survey.samples
                ],
            }
            for size in sizes
        ],
    }
