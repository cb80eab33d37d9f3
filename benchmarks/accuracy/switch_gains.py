"""What one switch bought: published gains of throughput beside predicted ones.

``catalog/data/software/gains.csv`` holds a job, a layout, and the switches and layout fields before and after. A field like
``flash_attention=off>on`` of the column ``layout_after`` has a value before and one after, and so may ``precision``; ``shape``
changes sizes of the model, ``guessed`` says what of the job its publisher does not state, and ``sets`` which constant this very
gain was read for: it is not predicted blindly. ``gains_left_out.csv`` says which of the collected rows are no such gain.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tianji.catalog import find_software, load_pool
from tianji.catalog.architectures import load_architecture
from tianji.catalog.entries import DATA
from tianji.hardware.calibration import Calibration
from tianji.measurements.rows import Setup
from tianji.parallel.layouts import complete_layout, read_layout
from tianji.validation.pricing import forecast
from tianji.workload import Job, Model
from tianji.workload.precision import find_precision

FILE = DATA / "software" / "gains.csv"
LEFT_OUT = FILE.with_name("gains_left_out.csv")
SHAPE = {"n_experts": "num_experts", "moe_ffn": "intermediate_size"}
FAINT = 0.02
"""Gains of less than this either way have no sign that a prediction could get wrong."""


@dataclass(frozen=True, slots=True)
class Gain:
    """One published gain of throughput, after over before less 1, and what is predicted."""

    name: str
    job: str
    source: str
    measured: float
    predicted: float
    guessed: str = ""
    """What of the job is not stated where the gain is."""
    sets: str = ""
    """The constant that this gain was read for."""

    @property
    def has_sign(self) -> bool:
        """Both have the same sign, or one of them is next to nothing and the other small."""
        small = abs(self.measured) < FAINT or abs(self.predicted) < FAINT / 4
        return self.measured * self.predicted > 0.0 or (small and abs(self.measured - self.predicted) < 2.0 * FAINT)

    @property
    def error(self) -> float:
        """Of the gain: the distance over the measured gain."""
        return abs(self.predicted - self.measured) / max(abs(self.measured), FAINT)


@dataclass(frozen=True, slots=True)
class Gains:
    """All of them together."""

    gains: tuple[Gain, ...]

    @property
    def signs(self) -> float:
        """Share whose sign is right."""
        return float(np.mean([g.has_sign for g in self.gains]))

    @property
    def error(self) -> float:
        """Median error of the gain."""
        return float(np.median([g.error for g in self.gains]))


def predict_gains(calibration: Calibration | None = None) -> Gains:
    """Return every published gain of the table with what is predicted."""
    with FILE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    setups = [setup for row in rows for setup in (read_side(row, after=False), read_side(row, after=True))]
    times = [f.step_time or float("nan") for f in forecast(setups, calibration)]
    return Gains(
        tuple(
            Gain(
                row["name"],
                _name_job(row),
                row["source"],
                float(row["gain"]) / 100.0,
                before / after - 1.0,
                row["guessed"],
                row["sets"],
            )
            for row, before, after in zip(rows, times[::2], times[1::2], strict=True)
        )
    )


def read_left_out() -> list[tuple[str, int, str]]:
    """Return why published rows are not compared, of how many, and which they are."""
    with LEFT_OUT.open(newline="", encoding="utf-8") as file:
        return [(row["reason"], int(row["rows"]), row["which"]) for row in csv.DictReader(file)]


def _read_model(row: Mapping[str, str]) -> Model:
    """Return the model of a line, its shape changed as the line says."""
    model = load_architecture(row["architecture"])
    if model is None:
        raise ValueError(f"gains.csv: {row['architecture']} is no architecture of the catalog")
    name, equals, value = row["shape"].partition("=")
    if not equals or model.moe is None:
        return model
    changed: dict[str, Any] = {SHAPE[name]: int(value)}
    return replace(model, moe=replace(model.moe, **changed))


def _name_job(row: Mapping[str, str]) -> str:
    shape = f" ({row['shape']})" if row["shape"] else ""
    return f"{row['architecture']}{shape} on {row['chips']} {row['pool']}, {row['precision']}"


def read_side(row: Mapping[str, str], *, after: bool) -> Setup:
    """Return the run before or after the switch."""
    model = _read_model(row)
    pool = load_pool(row["pool"]).with_chips(int(row["chips"]))
    software, _ = find_software(row["software"], row["after" if after else "before"].split(), pool.chip.ecosystem)
    parts = dict(part.split("=", 1) for part in row["layout"].split(","))
    for part in row["layout_after"].split(",") if row["layout_after"] else ():
        name, _, value = part.partition("=")
        first, arrow, last = value.partition(">")
        if after or arrow:
            parts[name] = last if arrow and after else first
    fields = read_layout(",".join(f"{name}={value}" for name, value in parts.items()))
    strategy = complete_layout(fields, pool.chips)
    first, _, last = row["precision"].partition(">")
    job = Job(model, int(row["seq_len"]), int(row["batch"]), find_precision((last or first) if after else first))
    return Setup(job, pool, strategy, software, row["architecture"])
