"""Published scaling: the same job on more and more chips. Efficiency is the rate of a chip over that on the fewest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from tianji.catalog import load_calibration
from tianji.catalog.architectures import load_architecture
from tianji.catalog.entries import DATA
from tianji.catalog.reader import read_toml
from tianji.hardware.calibration import Calibration
from tianji.measurements.machines import find_machine
from tianji.parallel.grid import Grid
from tianji.parallel.layouts import complete_layout, read_layout
from tianji.perf.step import estimate
from tianji.validation.pricing import Prediction
from tianji.workload import Job
from tianji.workload.precision import PRECISIONS

PUBLISHED = DATA / "measurements" / "scaling.toml"
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
    calibration = load_calibration() if calibration is None else calibration
    entries = read_toml(PUBLISHED)["series"]
    assert isinstance(entries, list)
    return [_scale(entry, calibration) for entry in entries]


def _scale(entry: dict[str, object], calibration: Calibration) -> Series:
    model = load_architecture(str(entry["arch_key"]))
    points = entry["points"]
    assert model is not None
    assert isinstance(points, list)
    rates = []
    for point in points:
        chips = int(point["chips"])
        pool = find_machine(str(entry["chip"])).with_chips(chips)
        strategy = complete_layout(read_layout(str(entry["layout"])), chips)
        batch = int(str(entry["sequences_per_replica"])) * strategy.dp
        job = Job(model, int(str(entry["seq_len"])), batch, PRECISIONS[str(entry["precision"])])
        cost = estimate(job, pool, calibration.constants(pool.chip, (str(entry["software"]),)), Grid.of(strategy))
        rates.append((chips, float(point["rate"]), job.tokens_per_step / float(np.ravel(cost.step_time)[0]) / chips))
    return _compare(str(entry["name"]), str(entry["title"]), rates)


def scale_measured(predictions: Sequence[Prediction], architecture: str = ARCHITECTURE) -> list[Series]:
    """Return the series among the rows of MLPerf: one submitter's releases, one chip, one recipe, several sizes."""
    groups: dict[Hashable, list[Prediction]] = defaultdict(list)
    for p in predictions:
        row = p.row
        if row.arch_key == architecture and row.source.startswith("MLPerf") and p.step_time:
            groups[(row.pool.chip.name, row.job.precision.linear, row.source.split(" llama")[0])].append(p)
    found = []
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
            found.append(_compare(f"Llama 3.1 405B on {key[0]} ({key[1]})", key[2], sorted(rates.values())))
    return found


def _compare(name: str, source: str, rates: Sequence[tuple[int, float, float]]) -> Series:
    _, measured, predicted = rates[0]
    return Series(name, source, tuple(Step(chips, m / measured, p / predicted) for chips, m, p in rates))
