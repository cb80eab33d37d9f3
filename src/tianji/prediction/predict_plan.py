"""Predict one plan: the page where the engines meet.

The same functions that price a million strategies price this one; the search and this page agree to twelve digits.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tianji.catalog import load_calibration
from tianji.hardware import Chip
from tianji.hardware.calibration import Calibration
from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid
from tianji.parallel.legality import check
from tianji.parallel.plan import Plan
from tianji.perf.memory import usable_memory
from tianji.perf.stages import every_stage
from tianji.perf.step import estimate, estimate_memory
from tianji.prediction.many import bundle, predict_many
from tianji.ranges import Range
from tianji.result import Result
from tianji.units import Array
from tianji.workload import Model
from tianji.workload.layers import step_flops

NOTABLE = 0.05
"""From such a standard deviation of log time on, the constant that most of it comes from is named."""


STRANGE_KIND = 0.2
"""Standard deviation of log time that is added where a model has a kind of layer of which no run is in the tables. A choice:
twice what runs of known kinds miss on chips that were measured."""
MEASURED_KINDS = ("attention", "latent attention")


def strange_kinds(model: Model) -> list[str]:
    """Return the kinds of mixers in a model of which no measured run is known."""
    kinds = {parts.mixer.kind for parts in model.block_parts if parts.mixer}
    return sorted(kinds - set(MEASURED_KINDS))


def predict(plan: Plan, calibration: Calibration | None = None) -> Result:
    """Return the predicted result of a plan, under the shipped calibration where none is given.

    Raises IllegalStrategyError when the strategy breaks a rule, UnknownFigureError when the pool lacks a figure that the job
    needs. A plan that does not fit the memory is a result like any other: ``fits`` is False.
    """
    check(plan.strategy, plan.job, plan.pool)
    calibration = load_calibration() if calibration is None else calibration
    chip = plan.pool.chip
    constants = calibration.constants(chip)
    g = Grid.of(plan.strategy)
    used = replace(plan.pool, chips=plan.strategy.chips)
    cost = estimate(plan.job, used, constants, g)
    stages = [
        _plain(parts) for parts in estimate_memory(plan.job, constants, g, every_stage(plan.job.model, plan.strategy))
    ]
    step_time = float(np.ravel(cost.step_time)[0])
    spread = calibration.spread(chip, moe=plan.job.model.moe is not None, chips=plan.strategy.chips)
    deviation, worst = doubt_time(plan, calibration, constants)
    strange = strange_kinds(plan.job.model)
    spread = spread.doubted(math.hypot(deviation, STRANGE_KIND if strange else 0.0))
    flops = step_flops(plan.job.model, plan.job.seq_len, plan.job.tokens_per_step, plan.job.causal)
    peak = chip.matrix_peak(plan.job.precision.linear)
    # No run is faster than the datasheet's peak, however wide the range.
    low = max(step_time * spread.low, min(step_time, flops / (plan.strategy.chips * peak)))
    leans = describe_basis(calibration, chip)
    if deviation >= NOTABLE and leans:
        leans += f"; least sure of {worst.replace('_', ' ')}"
    if strange and leans:
        leans += f"; no measured run of {' or '.join(strange)}"
    return Result(
        plan=plan,
        kind="predicted",
        step_time=Range(low, step_time, step_time * spread.high, leans),
        breakdown=_plain(cost.terms),
        memory=max(stages, key=lambda parts: sum(parts.values())),
        stages=tuple(stages),
        memory_limit=usable_memory(used),
        model_flops=flops,
        peak=peak,
    )


def doubt_time(plan: Plan, calibration: Calibration, constants: Constants) -> tuple[float, str]:
    """Return the standard deviation of a plan's log step time from the errors of fitted constants, and the worst of them."""
    doubt = calibration.doubt(plan.pool.chip)
    if not doubt.names:
        return 0.0, ""
    slopes = predict_many(bundle([plan]), lambda _: constants, doubt.names).slopes[:, 0]
    return float(doubt.deviation(slopes)), doubt.name_worst(slopes)


def describe_basis(calibration: Calibration, chip: Chip) -> str:
    """Return what the range of a chip's predictions leans on: ``measured``, ``inherited`` or ``roadmap``, with details.

    >>> from tianji.catalog import load_calibration, load_chip
    >>> describe_basis(load_calibration("none"), load_chip("h100-sxm"))
    ''
    """
    spread = calibration.spread(chip)
    rows = sum(s.rows for s in calibration.spreads.get(chip.name, {}).values())
    if spread.basis == "measured":
        return f"measured: {rows} runs on {chip.title}"
    if spread.basis == "micro-measured":
        return f"micro-measured: parts of runs on {chip.title}, no whole run"
    homes = {e.inherited_from for e in calibration.evidence.get(chip.name, {}).values()} - {""}
    source = f"constants of {', '.join(sorted(homes))}" if homes else "published micro-benchmarks"
    return f"{spread.basis}: no measured run on {chip.title}; {source}" if spread.basis else ""


def _plain(terms: dict[str, Array]) -> dict[str, float]:
    return {kind: float(np.ravel(value)[0]) for kind, value in terms.items()}
