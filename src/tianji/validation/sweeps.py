"""Sweeps: layouts of one job that were all measured. Is the order right, and what would our pick have cost?"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from tianji.measurements.rows import Row
from tianji.units import Array
from tianji.validation.pricing import Prediction

LEAST_RANKED = 5
"""Layouts from which on a rank correlation says something."""
LEAST_CHOSEN = 4
"""Layouts from which on a choice among them says something."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """The measured layouts of one job on one number of chips with one software."""

    source: str
    chip: str
    architecture: str
    chips: int
    predictions: tuple[Prediction, ...]
    """One for each layout; of a layout that was measured repeatedly, the fastest run."""

    @property
    def spearman(self) -> float:
        """Rank correlation of predicted and measured step times."""
        return correlate_ranks(*self._times())

    @property
    def regret(self) -> float:
        """Measured time of the layout that is predicted to be fastest, over the best measured time, less 1.

        Layouts that are predicted not to fit are not picked, unless none fits.
        """
        predicted, measured = self._times()
        fitting = np.asarray([p.fits for p in self.predictions])
        allowed = fitting if fitting.any() else np.ones_like(fitting)
        pick = int(np.argmin(np.where(allowed, predicted, np.inf)))
        return float(measured[pick] / measured.min() - 1.0)

    def _times(self) -> tuple[Array, Array]:
        predicted = np.asarray([p.step_time for p in self.predictions], dtype=np.float64)
        return predicted, np.asarray([p.row.measured_step_time for p in self.predictions])


@dataclass(frozen=True, slots=True)
class Ranking:
    """How well layouts of one job are put in order, over all sweeps."""

    ranked: int
    """Sweeps of LEAST_RANKED layouts or more."""
    spearman: float | None
    """Median over them."""
    chosen: int
    """Sweeps of LEAST_CHOSEN layouts or more."""
    regret: float | None
    """Mean over them."""
    exact: float | None
    """Share of them in which the pick was the fastest."""


def find_sweeps(predictions: Sequence[Prediction], least: int = LEAST_CHOSEN) -> list[Sweep]:
    """Return the jobs of which at least so many layouts were measured, the largest first."""
    jobs: dict[Hashable, dict[Hashable, Prediction]] = {}
    for prediction in predictions:
        if prediction.step_time is None:
            continue
        layouts = jobs.setdefault(_job_key(prediction.row), {})
        known = layouts.get(prediction.row.strategy)
        if known is None or prediction.row.measured_step_time < known.row.measured_step_time:
            layouts[prediction.row.strategy] = prediction
    sweeps = [_sweep(tuple(layouts.values())) for layouts in jobs.values() if len(layouts) >= least]
    return sorted(sweeps, key=lambda s: -len(s.predictions))


def measure_ranking(predictions: Sequence[Prediction]) -> Ranking:
    """Return how well all sweeps among the predictions are ranked."""
    sweeps = find_sweeps(predictions)
    ranked = [s.spearman for s in sweeps if len(s.predictions) >= LEAST_RANKED]
    regrets = [s.regret for s in sweeps]
    return Ranking(
        ranked=len(ranked),
        spearman=float(np.median(ranked)) if ranked else None,
        chosen=len(regrets),
        regret=float(np.mean(regrets)) if regrets else None,
        exact=float(np.mean([r == 0.0 for r in regrets])) if regrets else None,
    )


def _job_key(row: Row) -> Hashable:
    job = row.job
    formats = (job.precision.linear, job.precision.name)
    size = (job.seq_len, job.global_batch_size, row.strategy.chips)
    return (
        row.source,
        row.software.generation,
        row.pool.name,
        row.arch_key,
        job.model.num_layers,
        size,
        formats,
        row.task,
    )


def _sweep(predictions: tuple[Prediction, ...]) -> Sweep:
    row = predictions[0].row
    return Sweep(row.source, row.pool.chip.name, row.arch_key, row.strategy.chips, predictions)


def correlate_ranks(one: Array, other: Array) -> float:
    """Return Spearman's rank correlation; equal values share their mean rank, and a constant side gives 0.

    >>> correlate_ranks(np.array([1.0, 2.0, 3.0]), np.array([10.0, 30.0, 20.0]))
    0.5
    """
    a, b = _rank(one), _rank(other)
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale else 0.0


def _rank(values: Array) -> Array:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: Array = (last - (counts - 1) / 2.0)[inverse]
    return mean
