"""What a run wrote down of itself, step by step, whatever wrote it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tianji.errors import FormatError

STEP_NAMES = ("step", "iteration", "global_step", "_step", "iter", "index", "steps")
LOSS_NAMES = (
    "loss",
    "lm loss",
    "lm_loss",
    "train_loss",
    "train/loss",
    "training/loss",
    "actor/pg_loss",
    "reduced_train_loss",
    "value",
)
NORM_NAMES = (
    "grad_norm",
    "grad norm",
    "gradient_norm",
    "global_norm",
    "train/grad_norm",
    "actor/grad_norm",
    "grad-norm",
)
MAX_STEPS = 2_000_000
MAX_STEP = 2**50


@dataclass(frozen=True, slots=True)
class RunLog:
    """Losses and gradient norms of a run by step; ``metrics`` are the numbers it logged beside them."""

    name: str
    kind: str
    """What was read: result, json lines, csv, json, log or tensorboard."""
    losses: Mapping[int, float]
    norms: Mapping[int, float] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    precision: str = ""
    """Number format of the matrix products, where the file says it."""


def log_of(name: str, kind: str, rows: Iterable[Mapping[str, object]], precision: str = "") -> RunLog:
    """Return the log that rows of named numbers make; a row without a step has the number of rows before it.

    Raises FormatError where no row has a loss.
    """
    losses: dict[int, float] = {}
    norms: dict[int, float] = {}
    metrics: dict[str, dict[int, float]] = {}
    for count, row in enumerate(rows):
        if count >= MAX_STEPS:
            break
        plain = {str(key).strip().lower(): value for key, value in row.items()}
        step = next((at for key in STEP_NAMES if (at := _as_step(plain.get(key))) is not None), count)
        for key, value in plain.items():
            number = as_number(value)
            if number is None or key in STEP_NAMES:
                continue
            metrics.setdefault(key, {})[step] = number
        for names, target in ((LOSS_NAMES, losses), (NORM_NAMES, norms)):
            found = next((n for key in names if (n := as_number(plain.get(key))) is not None), None)
            if found is not None:
                target[step] = found
    if not losses:
        raise FormatError(f"{name}: no loss was found; expected a column or key such as {', '.join(LOSS_NAMES[:4])}")
    return RunLog(name, kind, dict(sorted(losses.items())), dict(sorted(norms.items())), metrics, precision)


def _as_step(value: object) -> int | None:
    number = as_number(value)
    return int(number) if number is not None and math.isfinite(number) and abs(number) <= MAX_STEP else None


def as_number(value: object) -> float | None:
    """Return a number, also one written as text, ``nan`` and ``inf`` among them; None for anything else.

    >>> as_number("1.5E+01"), as_number("lm"), as_number(True)
    (15.0, None, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    if isinstance(value, str) and len(value) < 40 and re.match(r"^\s*[-+]?(?:\d|\.\d|nan|inf)", value, re.IGNORECASE):
        try:
            return float(value)
        except ValueError:
            return None
    return None
