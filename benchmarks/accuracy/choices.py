"""Choosing under doubt, held against measured sweeps: is the regret that is expected the regret that is paid?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.accuracy.sources import COMPOSED
from tianji.catalog import load_calibration
from tianji.hardware.calibration import Calibration
from tianji.search.choice import CLOSE
from tianji.search.worlds import draw_worlds, regret_of
from tianji.validation.pricing import Prediction
from tianji.validation.sweeps import Sweep, find_sweeps


@dataclass(frozen=True, slots=True)
class ChosenSweep:
    """One sweep: what is said of the layout of least expected regret, and what was measured of it."""

    source: str
    expected_regret: float
    regret: float
    """Measured time of the choice over the best measured time, less 1."""
    chance: float
    """Of being within CLOSE of the fastest, as it is said."""
    optimism: float
    """As it is said, in the logarithm."""
    flattered: float
    """Error of the predicted fastest beyond the mean error of its sweep, in the logarithm: above zero it took longer."""

    @property
    def is_close(self) -> bool:
        """The choice was within CLOSE of the fastest that was measured."""
        return self.regret <= CLOSE


@dataclass(frozen=True, slots=True)
class Choices:
    """Means over some sweeps."""

    name: str
    sweeps: int
    expected_regret: float
    regret: float
    chance: float
    close: float
    optimism: float
    flattered: float


def choose_in_sweeps(predictions: Sequence[Prediction], calibration: Calibration | None = None) -> list[ChosenSweep]:
    """Return the choice in each sweep among the predictions, each under the software that was measured."""
    known = load_calibration() if calibration is None else calibration
    return [_choose(sweep, known) for sweep in find_sweeps(predictions)]


def _choose(sweep: Sweep, calibration: Calibration) -> ChosenSweep:
    fitting = [p for p in sweep.predictions if p.fits] or list(sweep.predictions)
    row = fitting[0].row
    strategies = [p.row.strategy for p in fitting]
    worlds = draw_worlds(row.job, row.pool, calibration, strategies, traits=row.setup.traits)
    place = int(np.argmin(regret_of(worlds.shared).mean(axis=0)))
    regret = regret_of(worlds.drawn)[:, place]
    measured = np.asarray([p.row.measured_step_time for p in fitting])
    best = min(p.row.measured_step_time for p in sweep.predictions)
    errors = np.log(measured) - np.log(np.asarray([p.step_time for p in fitting]))
    return ChosenSweep(
        sweep.source, float(regret.mean()), float(measured[place] / best - 1.0), float((regret <= CLOSE).mean()),
        worlds.optimism, float(errors[worlds.predicted.argmin()] - errors.mean()),
    )  # fmt: skip


def summarize(chosen: Sequence[ChosenSweep]) -> list[Choices]:
    """Return the means over all sweeps, over those that were measured, and over those whose times were put together."""
    groups = {
        "all": list(chosen),
        "measured": [c for c in chosen if c.source not in COMPOSED],
        "put together": [c for c in chosen if c.source in COMPOSED],
    }
    return [_mean(name, members) for name, members in groups.items() if members]


def _mean(name: str, members: list[ChosenSweep]) -> Choices:
    table = np.asarray(
        [(c.expected_regret, c.regret, c.chance, c.is_close, c.optimism, c.flattered) for c in members],
        dtype=np.float64,
    )
    return Choices(name, len(members), *table.mean(axis=0).tolist())
