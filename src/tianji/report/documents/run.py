"""A measured result as one JSON document: what the file holds, and what follows from it."""

from __future__ import annotations

from typing import Any

from tianji.result import Result
from tianji.result.result_file import result_document


def run_document(result: Result) -> dict[str, Any]:
    """Return a measured result with its derived figures."""
    derived = {
        "tokens_per_s": result.tokens_per_s,
        "tokens_per_s_per_chip": result.tokens_per_s_per_chip,
        "mfu": result.mfu,
        "memory_total_bytes": result.memory_total,
        "noise": result.measurement.noise if result.measurement else 0.0,
    }
    return {**result_document(result), **derived}
