"""Ranges move with what is known to be off nearby: the errors of the nearest runs that constants were fitted on.

An error that the fit leaves on runs of nearly the same job is shared by their neighbours: of sources that were left out, runs
with another source's within NEAR missed on average by 0.9 of what those did. The residuals are what the fit could not explain,
so nothing counts twice. Farther away they tell nothing, and nothing moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from tianji.formatting import format_percent
from tianji.hardware.calibration import Calibration
from tianji.parallel.plan import Plan
from tianji.ranges import Range
from tianji.result import Result
from tianji.validation.nearest import nearest_rows
from tianji.validation.pricing import predict_rows

NEAR = 2.0
"""Distance up to which a run's error counts: the same chip and class of model, and sizes within two doublings together."""
MOST = 8
"""Runs that count, the nearest first."""
SLIGHT = 0.01
"""A move that is smaller is made and not said."""
BELIEVED = ("", "fit")
"""Splits whose errors move ranges: what is judged on check rows may not follow them."""


@dataclass(slots=True)
class NearErrors:
    """Moves the range of a predicted result with the errors of the nearest runs; the nominal case stays the sum of its terms."""

    calibration: Calibration
    _errors: dict[str, float | None] = field(default_factory=dict)
    """Of each run that was asked for: log(predicted / measured)."""

    def __getstate__(self) -> dict[str, Any]:
        return {"calibration": self.calibration}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.calibration, self._errors = state["calibration"], {}

    def __call__(self, result: Result) -> Result:
        """Return the result with its range moved; as it is where nothing was measured nearby, or no range is known."""
        span = result.step_time
        errors = self.find(result.plan) if span.leans_on else []
        if not errors:
            return result
        mean = sum(weight * error for weight, error in errors) / sum(weight for weight, _ in errors)
        factor = math.exp(-mean)
        # No run is faster than the datasheet's peak, and the nominal case is one of those that are possible.
        fastest = result.model_flops / (result.plan.strategy.chips * result.peak)
        low = min(max(span.low * factor, min(fastest, span.low)), span.nominal)
        return replace(
            result,
            step_time=Range(
                low, span.nominal, max(span.high * factor, span.nominal), span.leans_on + _say(factor, len(errors))
            ),
        )

    def find(self, plan: Plan) -> list[tuple[float, float]]:
        """Return the weight and the error of each of the nearest runs: exp(-distance) and log(predicted / measured)."""
        near = list(islice(nearest_rows(plan, NEAR, BELIEVED), MOST))
        fresh = [row for _, row in near if row.id not in self._errors]
        if fresh:
            for row, prediction in zip(fresh, predict_rows(fresh, self.calibration), strict=True):
                step = prediction.step_time
                self._errors[row.id] = None if step is None else math.log(step / row.measured_step_time)
        known = ((distance, self._errors[row.id]) for distance, row in near)
        return [(math.exp(-distance), error) for distance, error in known if error is not None]


def _say(factor: float, runs: int) -> str:
    if abs(factor - 1.0) < SLIGHT:
        return ""
    way = "longer" if factor > 1.0 else "shorter"
    are = "run nearby, which was" if runs == 1 else "runs nearby, which were"
    return f"; moved with {runs} {are} {format_percent(abs(factor - 1.0), 0)} {way} than predicted"
