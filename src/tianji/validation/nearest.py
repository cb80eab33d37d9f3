"""The nearest published runs of a plan: the same model, chip or scale, with the distance named."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from math import log2
from typing import NamedTuple

import numpy as np

from tianji.catalog import load_pool
from tianji.errors import InputError
from tianji.hardware.calibration import Calibration
from tianji.measurements.cells import Cells
from tianji.measurements.rows import Row, read_row
from tianji.parallel.plan import Plan
from tianji.units import GIGA, Array
from tianji.validation.pricing import Prediction, predict_rows
from tianji.validation.published_runs import read_shipped
from tianji.workload.task import ADAPTED

MOST = 3
"""Published runs that are shown, the nearest first."""
OTHER_CHIP, OTHER_CLASS, OTHER_MODEL, OTHER_PRECISION = 4.0, 3.0, 1.0, 0.5
"""What another chip, class of model, model and other number formats add to a distance, in doublings of the chips."""
REACHES = (2.0, 4.0, 8.0)
"""Distances up to which runs are looked for, one after the other until there are enough."""
FARTHEST = REACHES[-1]
"""A run farther away says nothing."""


PRETRAIN = ("", "pretrain")
LIKE: dict[str, tuple[str, ...]] = {"sft": ("sft",), "lora": ADAPTED, "qlora": ADAPTED}
"""Of tasks beside pre-training those whose published runs are shown; where there are none, pre-training is."""


@dataclass(frozen=True, slots=True)
class NearRun:
    """A published run near a plan, what is predicted for it, and how far it is."""

    prediction: Prediction
    distance: float
    """In doublings of the chips; a doubling of the batch, of the sequences or of the model counts half."""
    differs: tuple[str, ...]
    """What sets it apart, in words; nothing: the very job."""


def nearest_rows(plan: Plan, farthest: float, splits: Collection[str]) -> Iterator[tuple[float, Row]]:
    """Yield the published runs of some splits up to a distance from a plan, the nearest first, with their distances."""
    for distance, _, row in _readable(rank_stated(plan, farthest, splits)):
        yield distance, row


def rank_stated(
    plan: Plan, farthest: float, splits: Collection[str] | None = None, tasks: tuple[str, ...] = PRETRAIN
) -> list[tuple[float, tuple[str, ...], Cells]]:
    """Return the published runs of some splits (None: all) and tasks up to a distance from a plan, the nearest first.

    Each with its distance, what sets it apart, and what its table states.
    """
    runs = (
        run for run in _published(tasks).within(plan, farthest) if splits is None or run.cells.text("split") in splits
    )
    ranked = ((*_compare(plan, run), run.cells) for run in runs)
    return sorted((entry for entry in ranked if entry[0] <= farthest), key=lambda entry: entry[0])


def find_nearest(plan: Plan, calibration: Calibration) -> list[NearRun]:
    """Return the nearest published runs of a plan that can be predicted, the nearest first.

    They are of the plan's task where there are any, else of pre-training.
    """
    chosen = _choose(plan, LIKE.get(plan.job.task.name, PRETRAIN)) or _choose(plan, PRETRAIN)
    predictions = predict_rows([row for _, _, row in chosen], calibration)
    return [
        NearRun(prediction, distance, differs)
        for (distance, differs, _), prediction in zip(chosen, predictions, strict=True)
        if prediction.step_time is not None
    ]


def _choose(plan: Plan, tasks: tuple[str, ...]) -> list[tuple[float, tuple[str, ...], Row]]:
    """Return the nearest runs of some tasks, up to the first reach that has enough of them."""
    chosen: list[tuple[float, tuple[str, ...], Row]] = []
    for reach in REACHES:
        chosen = list(islice(_readable(rank_stated(plan, reach, tasks=tasks)), MOST))
        if len(chosen) == MOST:
            break
    return chosen


def _readable(near: Iterable[tuple[float, tuple[str, ...], Cells]]) -> Iterator[tuple[float, tuple[str, ...], Row]]:
    """Yield those whose rows can be predicted."""
    for distance, differs, cells in near:
        with suppress(InputError):
            yield distance, differs, read_row(cells, cells.text("id"))


class _StatedRun(NamedTuple):
    """What a row states of the sizes that a distance counts; 0 where it states none that can be read."""

    cells: Cells
    shape: tuple[float, float]
    """Layers and hidden size."""
    is_moe: bool
    sizes: tuple[float, float, float]
    """Chips, sequences of a step, tokens of a sequence."""

    @property
    def model(self) -> str:
        """The name of its architecture, else of its model."""
        return self.cells.text("arch_key") or self.cells.text("model")

    @property
    def parameters(self) -> float:
        """All of its model."""
        return _number(self.cells, "params_total_b") * GIGA

    @property
    def dtype(self) -> str:
        """Its number formats."""
        return self.cells.text("precision")

    @property
    def chip(self) -> str:
        """The name of its chip; empty where its pool is unknown."""
        return _chip_of(self.cells.text("pool"))


WEIGHTS = (1.0, 0.5, 0.5)
"""Of a doubling of each of the sizes of a run."""
SIZES = ("chips", "sequences a step", "tokens a sequence")


@dataclass(frozen=True, slots=True)
class _Published:
    """Runs, with the numbers of all in arrays: most are too far from a plan, and none of these is looked at alone."""

    runs: tuple[_StatedRun, ...]
    sizes: Array
    """Logarithms of base 2: (runs, 3)."""
    shapes: Array
    is_moe: Array

    def within(self, plan: Plan, farthest: float) -> list[_StatedRun]:
        """Return all runs up to a distance from a plan, chip, number formats and size of the model left out, and few others."""
        wanted = (plan.strategy.chips, plan.job.global_batch_size, plan.job.seq_len)
        model = plan.job.model
        distances = np.abs(self.sizes - np.log2(wanted)) @ np.asarray(WEIGHTS)
        distances += OTHER_MODEL * (self.shapes != (model.num_layers, model.hidden_size)).any(axis=1)
        distances += OTHER_CLASS * (self.is_moe != (model.moe is not None))
        return [self.runs[i] for i in np.flatnonzero(distances <= farthest + 1e-6).tolist()]


@lru_cache(maxsize=4)
def _published(tasks: tuple[str, ...]) -> _Published:
    """Return the shipped runs of some tasks that say on how many chips and with which batch they ran."""
    usable = (c for c in read_shipped() if c.text("quality") in ("A", "B") and c.text("task") in tasks)
    runs = tuple(run for run in map(_read, usable) if all(run.sizes))
    sizes, shapes = np.asarray([run.sizes for run in runs]), np.asarray([run.shape for run in runs])
    return _Published(runs, np.log2(sizes), shapes, np.asarray([run.is_moe for run in runs]))


def _read(cells: Cells) -> _StatedRun:
    shape = _number(cells, "layers"), _number(cells, "hidden")
    sizes = _number(cells, "n_chips"), _number(cells, "global_batch_size"), _number(cells, "seq_len")
    return _StatedRun(cells, shape, cells.text("n_experts") not in ("", "0"), sizes)


def _compare(plan: Plan, run: _StatedRun) -> tuple[float, tuple[str, ...]]:
    """Return how far a run is from a plan, and what sets it apart."""
    job, model = plan.job, plan.job.model
    distance, differs = 0.0, []
    if run.shape != (model.num_layers, model.hidden_size):
        distance += OTHER_MODEL
        distance += 0.5 * abs(log2(run.parameters / model.num_parameters)) if run.parameters else FARTHEST
        differs.append(f"model {run.model}")
    if run.is_moe != (model.moe is not None):
        distance += OTHER_CLASS
    if run.chip != plan.pool.chip.name:
        distance += OTHER_CHIP
        differs.append(f"chip {run.chip}")
    if (task := run.cells.text("task") or "pretrain") != job.task.name:
        differs.append(f"task {task}")
    if run.dtype != job.precision.name:
        distance += OTHER_PRECISION
        differs.append(run.dtype)
    wanted_sizes = (plan.strategy.chips, job.global_batch_size, job.seq_len)
    for stated, wanted, weight, name in zip(run.sizes, wanted_sizes, WEIGHTS, SIZES, strict=True):
        distance += weight * abs(log2(stated / wanted))
        if stated != wanted:
            differs.append(f"{stated:,.0f} {name}")
    return distance, tuple(differs)


def _number(cells: Cells, column: str) -> float:
    """Return a number of a row, or 0 where it states none that can be read."""
    text = cells.row.get(column) or ""
    if text.isdecimal() and text.isascii() and len(text) <= 9:
        return float(text)  # nearly all cells
    try:
        return cells.number(column) or 0.0
    except InputError:
        return 0.0


@lru_cache(maxsize=256)
def _chip_of(pool: str) -> str:
    try:
        return load_pool(pool).chip.name
    except InputError:
        return ""
