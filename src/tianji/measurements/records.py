"""Records: the highest MFU and the largest micro-batches that were ever measured, from the shipped tables.

The table is made by ``docs/generators/records.py`` from the measured runs, so that nothing in it is typed by hand.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache

from tianji.catalog.entries import DATA
from tianji.units import GIGA
from tianji.workload import Model

FILE = DATA / "records.csv"
COLUMNS = ("record", "chip", "class", "dtype", "value", "params_b", "seq_len", "chips", "run", "source")
ALIKE = 0.5
"""A model of at least this share of a model's parameters tells about its micro-batches."""


@dataclass(frozen=True, slots=True)
class Record:
    """One measured run that nothing measured exceeds."""

    kind: str
    """``mfu`` or ``micro_batch``."""
    chip: str
    """Of an MFU; empty for a micro-batch."""
    model_class: str
    dtype: str
    """Of the linear layers, for an MFU."""
    value: float
    parameters: float
    seq_len: int
    chips: int
    run: str
    source: str


def class_of(model: Model) -> str:
    """Return the class of a model: ``moe`` or ``dense``."""
    return "dense" if model.moe is None else "moe"


@lru_cache(maxsize=1)
def load_records() -> tuple[Record, ...]:
    """Return all records."""
    with FILE.open(newline="", encoding="utf-8") as file:
        return tuple(
            Record(
                r["record"], r["chip"], r["class"], r["dtype"], float(r["value"]), float(r["params_b"]) * GIGA,
                int(r["seq_len"]), int(r["chips"]), r["run"], r["source"],
            )
            for r in csv.DictReader(file)
        )  # fmt: skip


def find_highest_mfu(chip: str, model: Model, dtype: str) -> Record | None:
    """Return the measured run of the highest MFU on a chip, for the class of a model and a dtype; None: none was measured."""
    wanted = ("mfu", chip, class_of(model), dtype)
    return next((r for r in load_records() if (r.kind, r.chip, r.model_class, r.dtype) == wanted), None)


def find_largest_micro_batch(model: Model, seq_len: int) -> Record | None:
    """Return the measured run of the most sequences in a micro-batch, or None.

    Of the same class, with at least half of the model's parameters and sequences at least as long: a small model, or short
    sequences, say nothing of what a large one does.
    """
    known = [
        r
        for r in load_records()
        if r.kind == "micro_batch"
        and r.model_class == class_of(model)
        and r.parameters >= ALIKE * model.num_parameters
        and r.seq_len >= seq_len
    ]
    return max(known, key=lambda r: r.value, default=None)
