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
from tianji.measurements.rows import Row, Setup
from tianji.perf.memory import usable_memory
from tianji.prediction import bundle, group_alike, predict_many, stack_constants
from tianji.prediction.mapper import Mapper
from tianji.units import Bytes, Seconds


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is predicted for a run: seconds of a step with their 80 % range, and bytes on the fullest chip.

    A run whose chip lacks a published figure that it needs has no step time, and the reason in place of it.
    """

    step_time: Seconds | None = None
    low: Seconds | None = None
    high: Seconds | None = None
    memory: Bytes | None = None
    memory_limit: Bytes | None = None
    """What a job can have of one chip."""
    reason: str = ""

    @property
    def fits(self) -> bool:
        """The fullest chip holds what it must; every measured row ran, so False is a false alarm."""
        return self.memory is None or self.memory_limit is None or self.memory <= self.memory_limit


@dataclass(frozen=True, slots=True)
class Prediction:
    """A measured row beside what is predicted for it."""

    row: Row
    forecast: Forecast = Forecast()

    @property
    def step_time(self) -> Seconds | None:
        """Predicted seconds of a step."""
        return self.forecast.step_time

    @property
    def low(self) -> Seconds | None:
        """Lower end of the step time's range."""
        return self.forecast.low

    @property
    def high(self) -> Seconds | None:
        """Upper end of the step time's range."""
        return self.forecast.high

    @property
    def memory(self) -> Bytes | None:
        """Predicted bytes on the fullest chip."""
        return self.forecast.memory

    @property
    def fits(self) -> bool:
        """The fullest chip holds what it must; every measured row ran, so False is a false alarm."""
        return self.forecast.fits

    @property
    def reason(self) -> str:
        """Why there is no step time."""
        return self.forecast.reason

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


def predict_rows(
    rows: Sequence[Row], calibration: Calibration | None = None, *, mapper: Mapper | None = None
) -> list[Prediction]:
    """Return a prediction for each row, in order, for the software that it states.

    Rows that can be stacked are priced together. What ran is not checked for legality: it ran. Without a calibration the
    shipped one counts. A ``mapper`` prices the stacks elsewhere.
    """
    forecasts = forecast([row.setup for row in rows], calibration, mapper=mapper)
    return [Prediction(row, predicted) for row, predicted in zip(rows, forecasts, strict=True)]


def forecast(
    setups: Sequence[Setup], calibration: Calibration | None = None, *, mapper: Mapper | None = None
) -> list[Forecast]:
    """Return what is predicted for each run, in order, whether anybody measured it or not."""
    calibration = load_calibration() if calibration is None else calibration
    forecasts = [Forecast() for _ in setups]
    places = group_alike([setup.plan for setup in setups])
    stacks = [[setups[place] for place in members] for members in places]
    answers = (map if mapper is None else mapper)(partial(_predict_stack, calibration), stacks)
    for members, (step_times, memories, deviations, reason) in zip(places, answers, strict=True):
        for i, place in enumerate(members):
            if reason:
                forecasts[place] = Forecast(reason=reason)
            else:
                forecasts[place] = _forecast(setups[place], calibration, step_times[i], memories[i], deviations[i])
    return forecasts


def _predict_stack(
    calibration: Calibration, setups: list[Setup]
) -> tuple[list[Seconds], list[Bytes], list[float], str]:
    """Return step times, memories and deviations of log times of runs that can be stacked, or why they have none."""
    groups = bundle([setup.plan for setup in setups])
    traits_of = [setup.traits for setup in setups]
    chip = setups[0].pool.chip
    under = {traits: calibration.constants(chip, traits) for traits in set(traits_of)}
    stacked = stack_constants([under[traits] for traits in traits_of])
    doubts = {traits: calibration.doubt(chip, traits) for traits in set(traits_of)}
    names = sorted({name for doubt in doubts.values() for name in doubt.names})
    try:
        predicted = predict_many(groups, partial(_same, stacked), names)
    except InputError as error:
        return [], [], [], str(error)
    deviations = np.zeros(len(setups))
    for traits, doubt in doubts.items():
        members = [i for i, its_traits in enumerate(traits_of) if its_traits == traits]
        slopes = predicted.slopes[np.ix_([names.index(name) for name in doubt.names], members)]
        deviations[members] = doubt.deviation(slopes)
    return predicted.step_time.tolist(), predicted.memory.tolist(), deviations.tolist(), ""


def _same(constants: Constants, _: Chip) -> Constants:
    return constants


def _forecast(setup: Setup, calibration: Calibration, time: Seconds, memory: Bytes, deviation: float) -> Forecast:
    moe = setup.job.model.moe is not None
    spread = calibration.spread(setup.pool.chip, moe=moe, chips=setup.strategy.chips, traits=setup.traits).doubted(
        deviation
    )
    return Forecast(time, time * spread.low, time * spread.high, memory, usable_memory(setup.pool))
