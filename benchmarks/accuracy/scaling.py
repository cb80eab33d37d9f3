"""Published scaling: the same job on more and more chips. Efficiency is the rate of a chip over that on the fewest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.accuracy.rankings import make_cells
from tianji.catalog.reader import read_toml
from tianji.hardware.calibration import Calibration
from tianji.measurements.rows import read_setup
from tianji.validation.pricing import Prediction, forecast

PUBLISHED = Path(__file__).parent / "data" / "scaling.toml"
ARCHITECTURE = "llama3_405b"
"""The job of the MLPerf logs that was run on the most different numbers of chips."""


@dataclass(frozen=True, slots=True)
class Step:
    """Efficiency at one number of chips, measured and predicted."""

    chips: int
    measured: float
    predicted: float


@dataclass(frozen=True, slots=True)
class Series:
    """One job on several numbers of chips, the fewest first with efficiency 1."""

    name: str
    source: str
    steps: tuple[Step, ...]

    @property
    def worst(self) -> float:
        """Largest distance of predicted from measured efficiency."""
        return max(abs(s.predicted - s.measured) for s in self.steps)


def scale_published(calibration: Calibration | None = None) -> list[Series]:
    """Return the series that are published as a plot of utilisation, weak scaling, with our predictions."""
    entries = read_toml(PUBLISHED)["series"]
    assert isinstance(entries, list)
    return [_scale(entry, calibration) for entry in entries]


def _scale(entry: Mapping[str, Any], calibration: Calibration | None) -> Series:
    run, points = entry["run"], entry["points"]
    setups = []
    for point in points:
        replicas = point["chips"] // (run["tp"] * run["pp"])
        batch = {"n_chips": point["chips"], "global_batch_size": entry["sequences_per_replica"] * replicas}
        setups.append(read_setup(make_cells(run, batch)))
    rates = [
        (
            setup.strategy.chips,
            float(point["rate"]),
            setup.job.tokens_per_step / (predicted.step_time or 1.0) / setup.strategy.chips,
        )
        for point, setup, predicted in zip(points, setups, forecast(setups, calibration), strict=True)
    ]
    return _compare(str(entry["name"]), str(entry["title"]), rates)


def scale_measured(predictions: Sequence[Prediction], architecture: str = ARCHITECTURE) -> list[Series]:
    """Return the series among the rows of MLPerf: one submitter's releases, one chip, one recipe, several sizes."""
    groups: dict[Hashable, list[Prediction]] = defaultdict(list)
    for p in predictions:
        row = p.row
        if row.arch_key == architecture and row.source.startswith("MLPerf") and p.step_time:
            groups[(row.pool.chip.name, row.job.precision.linear, row.source.split(" llama")[0])].append(p)
    series = []
    for key, members in sorted(groups.items(), key=str):
        rates: dict[int, tuple[int, float, float]] = {}
        for p in members:
            tokens = p.row.job.tokens_per_step / p.row.strategy.chips
            known = rates.get(p.row.strategy.chips)
            new = (p.row.strategy.chips, tokens / p.row.measured_step_time, tokens / (p.step_time or 1.0))
            if known is None or new[1] > known[1]:
                rates[p.row.strategy.chips] = new
        if len(rates) > 1:
            assert isinstance(key, tuple)
            series.append(_compare(f"Llama 3.1 405B on {key[0]} ({key[1]})", key[2], sorted(rates.values())))
    return series


def _compare(name: str, source: str, rates: Sequence[tuple[int, float, float]]) -> Series:
    _, measured, predicted = rates[0]
    return Series(name, source, tuple(Step(chips, m / measured, p / predicted) for chips, m, p in rates))
