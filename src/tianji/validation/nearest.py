"""The nearest published runs of a plan: the same model, chip or scale, with the distance named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import log2

from tianji.catalog import load_pool
from tianji.errors import InputError
from tianji.hardware.calibration import Calibration
from tianji.measurements.cells import Cells
from tianji.measurements.table import read_published, read_row
from tianji.parallel.plan import Plan
from tianji.units import GIGA
from tianji.validation.pricing import Prediction, predict_rows
from tianji.validation.verdict import find_tables

MOST = 3
"""Published runs that are shown, the nearest first."""
OTHER_CHIP, OTHER_CLASS, OTHER_MODEL = 4.0, 3.0, 1.0
"""What another chip, another class of model and another model add to a distance, in doublings of the chips."""
FARTHEST = 8.0
"""A run farther away says nothing."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A published run near a plan, what is predicted for it, and how far it is."""

    prediction: Prediction
    distance: float
    """In doublings of the chips; a doubling of the batch, of the sequences or of the model counts half."""
    differs: tuple[str, ...]
    """What sets it apart, in words; nothing: the very job."""


def find_nearest(plan: Plan, calibration: Calibration) -> list[Neighbour]:
    """Return the nearest published runs of a plan that can be predicted, the nearest first."""
    ranked = sorted(_measure(plan), key=lambda entry: entry[0])[: 4 * MOST]
    rows = []
    for distance, differs, cells in ranked:
        try:
            rows.append((distance, differs, read_row(cells, cells.text("id"))))
        except InputError:
            continue
    chosen = rows[:MOST]
    predictions = predict_rows([row for _, _, row in chosen], calibration)
    return [
        Neighbour(prediction, distance, differs)
        for (distance, differs, _), prediction in zip(chosen, predictions, strict=True)
        if prediction.step_time is not None
    ]


def _measure(plan: Plan) -> Iterator[tuple[float, tuple[str, ...], Cells]]:
    for path in find_tables():
        for cells in read_published(path):
            if cells.text("quality") in ("A", "B") and cells.text("task") in ("", "pretrain"):
                distance, differs = _compare(plan, cells)
                if distance <= FARTHEST:
                    yield distance, differs, cells


def _compare(plan: Plan, cells: Cells) -> tuple[float, tuple[str, ...]]:
    """Return how far a row is from a plan, and what sets it apart."""
    job, model, s = plan.job, plan.job.model, plan.strategy
    sizes = {
        "chips": (_number(cells, "n_chips"), float(s.chips), 1.0),
        "sequences a step": (_number(cells, "global_batch_size"), float(job.global_batch_size), 0.5),
        "tokens a sequence": (_number(cells, "seq_len"), float(job.seq_len), 0.5),
    }
    if not all(stated for stated, _, _ in sizes.values()):
        return float("inf"), ()
    distance, differs = 0.0, []
    same = (_number(cells, "layers"), _number(cells, "hidden")) == (model.num_layers, model.hidden_size)
    if not same:
        size = _number(cells, "params_total_b") * GIGA
        distance += OTHER_MODEL + (0.5 * abs(log2(size / model.num_parameters)) if size else FARTHEST)
        differs.append(f"model {cells.text('arch_key') or cells.text('model')}")
    if (cells.text("n_experts") not in ("", "0")) != (model.moe is not None):
        distance += OTHER_CLASS
    if (chip := _chip_of(cells.text("pool"))) != plan.pool.chip.name:
        distance += OTHER_CHIP
        differs.append(f"chip {chip}")
    if (dtype := cells.text("precision")) != job.precision.name:
        distance += 0.5
        differs.append(dtype)
    for name, (stated, wanted, weight) in sizes.items():
        distance += weight * abs(log2(stated / wanted))
        if stated != wanted:
            differs.append(f"{stated:,.0f} {name}")
    return distance, tuple(differs)


def _number(cells: Cells, column: str) -> float:
    """Return a number of a row, or 0 where it states none that can be read."""
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
