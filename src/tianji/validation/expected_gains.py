"""What a plan promises over published runs of its job."""

from __future__ import annotations

from dataclasses import dataclass

from tianji.hardware.calibration import Calibration
from tianji.parallel.layouts import abbreviate_layout
from tianji.prediction import predict
from tianji.result import Result
from tianji.units import Seconds
from tianji.validation.pricing import Prediction, predict_rows
from tianji.validation.published_runs import find_precedents

DOUBTFUL = 0.15
"""Gain over a published, tuned run from which on a plan is called in question."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One tuned job: its measured time, our time for the same layout, and the best plan that the search finds."""

    prediction: Prediction
    same: Result
    """The published layout as a plan, predicted for the reference software."""
    best: Result
    is_told: bool = True
    """Whether who plans this job is shown the run, the gain over it and what it comes from."""
    optimism: float = 0.0
    """By how much the best plan's time is too small for having been chosen as the best (:mod:`tianji.search.choice`)."""

    @property
    def is_doubtful(self) -> bool:
        """A tuned run leaves less to gain: who plans this is told to measure it first."""
        return self.gain > DOUBTFUL

    @property
    def gain(self) -> float:
        """Measured time over the best plan's, corrected for its choice, less 1, for the software that was measured."""
        ours = (self.prediction.step_time or 0.0) * self.best.step_time.nominal / self.same.step_time.nominal
        return self.prediction.row.measured_step_time / (ours * (1.0 + self.optimism)) - 1.0

    @property
    def gain_of_layout(self) -> float:
        """What the layout makes of the gain: our time for the published layout over that for the best plan, less 1."""
        return self.same.step_time.nominal / self.best.step_time.nominal - 1.0

    @property
    def layout(self) -> str:
        """The best plan's layout."""
        return abbreviate_layout(self.best.plan.strategy)

    @property
    def published(self) -> str:
        """The published layout."""
        return abbreviate_layout(self.prediction.row.strategy)

    def savings(self) -> list[tuple[str, Seconds]]:
        """Return the two terms of a step that the best plan saves most of, with the seconds."""
        saved = {k: self.same.breakdown[k] - self.best.breakdown.get(k, 0.0) for k in self.same.breakdown}
        return sorted(((k, v) for k, v in saved.items() if v > 0.0), key=lambda item: -item[1])[:2]


def weigh_precedents(best: Result, calibration: Calibration, optimism: float = 0.0) -> list[Promise]:
    """Return each published run of a plan's job with what the plan promises over it, for the software that was measured.

    ``optimism`` is the share by which the plan's time is too small for having been chosen.
    """
    rows = [row for row in find_precedents(best.plan) if row.quality in ("A", "B")]
    predictions = predict_rows(rows, calibration)
    return [
        Promise(p, predict(p.row.plan, calibration), best, optimism=optimism)
        for p in predictions
        if p.step_time is not None
    ]
