"""Published rankings of the layouts of one job, a layout that ran out of memory among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tianji.catalog.reader import read_toml
from tianji.hardware.calibration import Calibration
from tianji.measurements.cells import Cells
from tianji.measurements.rows import Setup, read_setup
from tianji.measurements.table import translate_cells
from tianji.parallel.strategy import DEGREES
from tianji.units import GIB, Bytes
from tianji.validation.pricing import Forecast, forecast
from tianji.validation.sweeps import correlate_ranks

PUBLISHED = Path(__file__).parent / "data" / "rankings.toml"


@dataclass(frozen=True, slots=True)
class Place:
    """One layout: tokens a second of a chip and bytes, measured and predicted. Without a rate it ran out of memory."""

    layout: str
    measured: float | None
    predicted: float
    measured_memory: Bytes | None
    predicted_memory: Bytes
    fits: bool


@dataclass(frozen=True, slots=True)
class RankedJob:
    """The layouts of one job, as published and as predicted."""

    name: str
    title: str
    url: str
    note: str
    places: tuple[Place, ...]

    @property
    def spearman(self) -> float:
        """Rank correlation over the layouts that ran."""
        ran = [p for p in self.places if p.measured]
        return correlate_ranks(np.asarray([p.measured for p in ran]), np.asarray([p.predicted for p in ran]))

    @property
    def regret(self) -> float:
        """Best measured rate over that of the layout that we would pick, less 1."""
        ran = [p for p in self.places if p.measured]
        pick = max([p for p in ran if p.fits] or ran, key=lambda p: p.predicted)
        return max(p.measured or 0.0 for p in ran) / (pick.measured or 1.0) - 1.0

    @property
    def memory_is_told(self) -> bool:
        """What ran fits and what ran out of memory does not."""
        return all(p.fits == (p.measured is not None) for p in self.places)


def rank_published(calibration: Calibration | None = None) -> list[RankedJob]:
    """Return the published rankings with what is predicted for each layout."""
    jobs = read_toml(PUBLISHED)["job"]
    assert isinstance(jobs, list)
    return [_rank(job, calibration) for job in jobs]


def _rank(entry: Mapping[str, Any], calibration: Calibration | None) -> RankedJob:
    cells = [make_cells(entry["run"], layout) for layout in entry["layouts"]]
    setups = [read_setup(one) for one in cells]
    forecasts = forecast(setups, calibration)
    places = [_place(*one) for one in zip(cells, setups, forecasts, strict=True)]
    name, title, url, note = (str(entry[key]) for key in ("name", "title", "url", "note"))
    return RankedJob(name, title, url, note, tuple(places))


def make_cells(*parts: Mapping[str, Any]) -> Cells:
    """Return the cells of a table that some columns and values of a TOML file are; later parts override earlier ones."""
    return translate_cells(Cells({column: str(value) for part in parts for column, value in part.items()}, 0))


def _place(cells: Cells, setup: Setup, predicted: Forecast) -> Place:
    memory = cells.number("memory_gb_per_chip")
    assert predicted.step_time is not None and predicted.memory is not None
    return Place(
        ",".join(f"{name}={getattr(setup.strategy, name)}" for name in DEGREES if getattr(setup.strategy, name) > 1),
        cells.number("tokens_per_s_per_chip"),
        setup.job.tokens_per_step / predicted.step_time / setup.strategy.chips,
        memory * GIB if memory else None,
        predicted.memory,
        predicted.fits,
    )


def tell_memory(jobs: Iterable[RankedJob]) -> list[float]:
    """Return the memory errors of all layouts that state theirs: predicted over measured, less 1."""
    return [p.predicted_memory / p.measured_memory - 1.0 for j in jobs for p in j.places if p.measured_memory]
