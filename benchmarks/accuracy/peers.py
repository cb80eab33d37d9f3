"""What other programs predict for the same rows, as shipped by their makers."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from tianji.validation.pricing import Prediction

PUBLISHED = Path(__file__).parent / "data" / "peer_predictions.csv"


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer's errors and ours on the rows that both predict; errors are predicted over measured, less 1."""

    name: str
    theirs: tuple[float, ...]
    ours: tuple[float, ...]
    covered: int
    """Rows that Tianji predicts, whether the peer does or not."""

    def quantiles(self, errors: Sequence[float]) -> tuple[float, float]:
        """Return the median and the 90th percentile of absolute errors."""
        absolute = np.abs(errors)
        return float(np.median(absolute)), float(np.percentile(absolute, 90))


def compare_peers(predictions: Sequence[Prediction]) -> list[Peer]:
    """Return each peer beside Tianji on the rows that both predict."""
    known = {p.row.id: p for p in predictions if p.error is not None}
    peers = []
    for name, rows in read_peers().items():
        shared = [i for i in rows if i in known]
        theirs = tuple(rows[i] / known[i].row.measured_step_time - 1.0 for i in shared)
        if shared:
            peers.append(Peer(name, theirs, tuple(known[i].error or 0.0 for i in shared), len(known)))
    return peers


@lru_cache(maxsize=1)
def read_peers() -> dict[str, dict[str, float]]:
    """Return the peers' step times, seconds, by peer and row."""
    times: dict[str, dict[str, float]] = {}
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            times.setdefault(row["peer"], {})[row["id"]] = float(row["predicted_step_time_s"])
    return times
