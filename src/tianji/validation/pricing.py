"""Predict the rows of a table of measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tianji.errors import InputError
from tianji.hardware.calibration import Calibration
from tianji.measurements.table import Row
from tianji.parallel.grid import Grid
from tianji.perf.step import price
from tianji.units import Bytes, Seconds


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is predicted for a row: seconds of a step with their 80 % range, and bytes on the fullest chip.

    A row whose chip lacks a published figure that it needs has no step time, and the reason in place of it.
    """

    row: Row
    step_time: Seconds | None = None
    low: Seconds | None = None
    high: Seconds | None = None
    memory: Bytes | None = None
    reason: str = ""

    @property
    def ratio(self) -> float | None:
        """Predicted over measured step time."""
        return None if self.step_time is None else self.step_time / self.row.measured_step_time

    @property
    def memory_ratio(self) -> float | None:
        """Predicted over measured memory."""
        measured = self.row.measured_memory
        return None if self.memory is None or not measured else self.memory / measured


def predict_rows(rows: Sequence[Row], calibration: Calibration | None = None) -> list[Prediction]:
    """Return a prediction for each row, in order. What ran is not checked for legality: it ran."""
    calibration = calibration or Calibration()
    return [_predict(row, calibration) for row in rows]


def _predict(row: Row, calibration: Calibration) -> Prediction:
    try:
        cost = price(row.job, row.pool, calibration.constants(row.pool.chip), Grid.of(row.strategy))
    except InputError as error:
        return Prediction(row, reason=str(error))
    time, memory = (float(np.ravel(value)[0]) for value in (cost.step_time, cost.memory_total))
    spread = calibration.spread(row.pool.chip)
    return Prediction(row, time, time * spread.low, time * spread.high, memory)
