"""Predict the rows of a table of measurements, all that are alike at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from tianji.catalog import load_calibration
from tianji.errors import InputError
from tianji.hardware import Chip
from tianji.hardware.calibration import Calibration
from tianji.hardware.constants import Constants
from tianji.measurements.table import Row
from tianji.perf.memory import usable_memory
from tianji.prediction import bundle, predict_many, stack_constants
from tianji.prediction.mapper import Mapper
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
    """None where activations went to host memory, which is not modelled."""
    memory_limit: Bytes | None = None
    """What a job can have of one chip."""
    reason: str = ""

    @property
    def error(self) -> float | None:
        """Predicted over measured step time, less 1: above zero the run was faster than predicted."""
        return None if self.step_time is None else self.step_time / self.row.measured_step_time - 1.0

    @property
    def is_covered(self) -> bool:
        """The measured step time lies in the predicted range."""
        return self.low is not None and self.high is not None and self.low <= self.row.measured_step_time <= self.high

    @property
    def memory_error(self) -> float | None:
        """Predicted over measured memory, less 1."""
        measured = self.row.measured_memory
        return None if self.memory is None or not measured else self.memory / measured - 1.0

    @property
    def fits(self) -> bool:
        """The fullest chip holds what it must; every measured row ran, so False is a false alarm."""
        return self.memory is None or self.memory_limit is None or self.memory <= self.memory_limit


def predict_rows(
    rows: Sequence[Row], calibration: Calibration | None = None, *, mapper: Mapper | None = None
) -> list[Prediction]:
    """Return a prediction for each row, in order, for the software that it states.

    Rows that can be stacked are priced together. What ran is not checked for legality: it ran. Without a calibration the
    shipped one counts. A ``mapper`` prices the stacks elsewhere.
    """
    calibration = load_calibration() if calibration is None else calibration
    found: list[Prediction] = [Prediction(row) for row in rows]
    places = [group.places for group in bundle([row.plan for row in rows])]
    stacks = [[rows[place] for place in some] for some in places]
    answers = (map if mapper is None else mapper)(partial(_price_stack, calibration), stacks)
    for some, (step_times, memories, deviations, reason) in zip(places, answers, strict=True):
        for i, place in enumerate(some):
            if reason:
                found[place] = Prediction(rows[place], reason=reason)
            else:
                found[place] = _predict(rows[place], calibration, step_times[i], memories[i], deviations[i])
    return found


def _price_stack(calibration: Calibration, rows: list[Row]) -> tuple[list[Seconds], list[Bytes], list[float], str]:
    """Return step times, memories and deviations of log times of rows that can be stacked, or why they have none."""
    groups = bundle([row.plan for row in rows])
    stacked = stack_constants([calibration.constants(row.pool.chip, row.traits) for row in rows])
    doubts = {traits: calibration.doubt(rows[0].pool.chip, traits) for traits in {row.traits for row in rows}}
    names = sorted({name for doubt in doubts.values() for name in doubt.names})
    try:
        prices = predict_many(groups, partial(_same, stacked), names)
    except InputError as error:
        return [], [], [], str(error)
    deviations = np.zeros(len(rows))
    for traits, doubt in doubts.items():
        mine = [i for i, row in enumerate(rows) if row.traits == traits]
        deviations[mine] = doubt.deviation(prices.slopes[np.ix_([names.index(name) for name in doubt.names], mine)])
    return prices.step_time.tolist(), prices.memory.tolist(), deviations.tolist(), ""


def _same(constants: Constants, _: Chip) -> Constants:
    return constants


def _predict(row: Row, calibration: Calibration, time: Seconds, memory: Bytes, deviation: float) -> Prediction:
    moe = row.job.model.moe is not None
    spread = calibration.spread(row.pool.chip, moe=moe, chips=row.strategy.chips, traits=row.traits).doubted(deviation)
    held = None if "activation-offload" in row.tags else memory
    return Prediction(row, time, time * spread.low, time * spread.high, held, usable_memory(row.pool))
