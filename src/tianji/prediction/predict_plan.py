"""Predict one plan: the page where the engines meet.

The same functions that price a million strategies price this one; the search and this page agree to twelve digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tianji.catalog import load_calibration
from tianji.catalog.architectures import find_mixture
from tianji.hardware import Chip, Pool
from tianji.hardware.calibration import Calibration, mixture_trait
from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid
from tianji.parallel.legality import check
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import Strategy
from tianji.perf.context import total
from tianji.perf.memory import usable_memory
from tianji.perf.offload import is_offloading
from tianji.perf.pipeline_stages import every_stage
from tianji.perf.step import estimate_host, estimate_memory, estimate_time
from tianji.prediction.many import bundle, predict_slopes
from tianji.ranges import Range
from tianji.result import Result
from tianji.units import Array
from tianji.workload import Job, Model
from tianji.workload.model_flops import job_flops

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
    (result,) = predict_together(plan.job, plan.pool, (plan.strategy,), calibration)
    return result


def predict_together(
    job: Job, pool: Pool, strategies: Sequence[Strategy], calibration: Calibration | None = None
) -> tuple[Result, ...]:
    """Return what :func:`predict` does for each of some strategies; all that use as many chips are priced at once."""
    calibration = (load_calibration() if calibration is None else calibration).training(find_mixture(job.model))
    results: dict[int, Result] = {}
    for chips in dict.fromkeys(strategy.chips for strategy in strategies):
        places = [i for i, strategy in enumerate(strategies) if strategy.chips == chips]
        plans = [Plan(job, pool, strategies[i]) for i in places]
        results.update(zip(places, _predict_alike(plans, calibration), strict=True))
    return tuple(results[i] for i in range(len(strategies)))


def _predict_alike(plans: Sequence[Plan], calibration: Calibration) -> list[Result]:
    """Return the results of plans of one job on the same chips of one pool."""
    for plan in plans:
        check(plan.strategy, plan.job, plan.pool)
    job, chips, chip = plans[0].job, plans[0].strategy.chips, plans[0].pool.chip
    constants, used = calibration.constants(chip), replace(plans[0].pool, chips=chips)
    grid = Grid.of(*(plan.strategy for plan in plans))
    seconds = estimate_time(job, used, constants, grid)
    times = _column(total(seconds), len(plans))
    terms = {kind: _column(value, len(plans)) for kind, value in seconds.items()}
    stages, doubts = _stage_memory(plans, constants), doubt_times(plans, calibration, constants)
    spread = calibration.spread(chip, moe=job.model.moe is not None, chips=chips)
    flops = job_flops(job)
    peak = chip.matrix_peak(job.precision.linear)
    strange, basis = strange_kinds(job.model), describe_basis(calibration, chip)
    results = []
    for i, plan in enumerate(plans):
        deviation, worst = doubts[i]
        own = spread.doubted(math.hypot(deviation, STRANGE_KIND if strange else 0.0))
        leans = basis
        if deviation >= NOTABLE and leans:
            leans += f"; least sure of {worst.replace('_', ' ')}"
        if strange and leans:
            leans += f"; no measured run of {' or '.join(strange)}"
        # No run is faster than the datasheet's peak, however wide the range.
        low = max(times[i] * own.low, min(times[i], flops / (chips * peak)))
        results.append(Result(
            plan=plan,
            kind="predicted",
            step_time=Range(low, times[i], times[i] * own.high, leans),
            breakdown={kind: column[i] for kind, column in terms.items()},
            memory=max(stages[i], key=lambda parts: sum(parts.values())),
            stages=stages[i],
            memory_limit=usable_memory(used),
            model_flops=flops,
            peak=peak,
            memory_error=calibration.memory_error(chip),
            host_memory=(hosted := _host_memory(plan)),
            host_limit=chip.host_memory.value if hosted and chip.host_memory else None,
        ))  # fmt: skip
    return results


def fits(plan: Plan, constants: Constants) -> bool:
    """Return whether the fullest chip of a legal plan holds what it must, and its host: ``predict(plan).fits``."""
    (stages,), host, used = _stage_memory([plan], constants).values(), _host_memory(plan), plan.pool
    limit = used.chip.host_memory.value if host and used.chip.host_memory else math.inf
    return max(sum(parts.values()) for parts in stages) <= usable_memory(used) and sum(host.values()) <= limit


def _host_memory(plan: Plan) -> dict[str, float]:
    """Return what the fullest stage's chip takes of its host's memory, by part; nothing where nothing is offloaded."""
    grid = Grid.of(plan.strategy)
    if not is_offloading(grid):
        return {}
    stages = estimate_host(plan.job, grid, every_stage(plan.job.model, plan.strategy))
    plain = [{part: _column(value, 1)[0] for part, value in parts.items()} for parts in stages]
    return max(plain, key=lambda parts: sum(parts.values()), default={})


def _stage_memory(plans: Sequence[Plan], constants: Constants) -> dict[int, tuple[dict[str, float], ...]]:
    """Return the bytes of each stage of each plan, by part; plans with the same pipeline are worked out at once."""
    by_plan: dict[int, tuple[dict[str, float], ...]] = {}
    pipelines = [(plan.strategy.schedule, plan.strategy.pp, plan.strategy.vpp) for plan in plans]
    for pipeline in dict.fromkeys(pipelines):
        places = [i for i, own in enumerate(pipelines) if own == pipeline]
        grid, job = Grid.of(*(plans[i].strategy for i in places)), plans[0].job
        stages = [
            {part: _column(value, len(places)) for part, value in parts.items()}
            for parts in estimate_memory(job, constants, grid, every_stage(job.model, plans[places[0]].strategy))
        ]
        for place, i in enumerate(places):
            by_plan[i] = tuple({part: column[place] for part, column in parts.items()} for parts in stages)
    return by_plan


def doubt_times(plans: Sequence[Plan], calibration: Calibration, constants: Constants) -> list[tuple[float, str]]:
    """Return for each of ``plans``, all on one chip, what the errors of fitted constants do to its step time.

    Of each: the standard deviation of its log step time, and the name of the constant that gives most of it.
    """
    doubt = calibration.doubt(plans[0].pool.chip)
    if not doubt.names:
        return [(0.0, "")] * len(plans)
    slopes = predict_slopes(bundle(plans), constants, doubt.names)
    return [(float(doubt.deviation(column)), doubt.name_worst(column)) for column in slopes.T]


def describe_basis(calibration: Calibration, chip: Chip) -> str:
    """Return what the range of a chip's predictions leans on: ``measured``, ``inherited`` or ``roadmap``, with details.

    >>> from tianji.catalog import load_calibration, load_chip
    >>> describe_basis(load_calibration("none"), load_chip("h100-sxm"))
    ''
    """
    spread = calibration.spread(chip)
    rows = sum(s.rows for s in calibration.spreads.get(chip.name, {}).values())
    if spread.basis == "measured":
        return f"measured: {rows} {'run' if rows == 1 else 'runs'} on {chip.title}"
    if spread.basis == "micro-measured":
        return f"micro-measured: parts of runs on {chip.title}, no whole run"
    homes = {e.inherited_from for e in calibration.evidence.get(chip.name, {}).values()} - {""}
    source = f"constants of {', '.join(sorted(homes))}" if homes else "published micro-benchmarks"
    return f"{spread.basis}: no measured run on {chip.title}; {source}" if spread.basis else ""


def describe_mixture(calibration: Calibration, chip: Chip) -> str:
    """Return what runs of the mixture of experts that is trained took beside what its terms say; empty for no mixture.

    >>> from tianji.catalog import load_calibration, load_chip
    >>> describe_mixture(load_calibration().training("gpt_oss_120b"), load_chip("h100-sxm"))
    'runs of gpt_oss_120b under megatron-bridge took 1.256 times what its terms say'
    """
    stated = calibration.traits_on(chip)
    if calibration.mixture is None or not stated or not calibration.software:
        return ""
    trait = mixture_trait(stated[0], calibration.mixture)
    effect = calibration.software.get(trait, {}).get("software")
    if effect is None:
        return f"no measured run of this mixture of experts under {stated[0]}"
    return f"runs of {calibration.mixture} under {stated[0]} took {effect.factor:.4g} times what its terms say"


def _column(value: Array, count: int) -> list[float]:
    """Return a value for each plan of a grid, where the grid's terms may be the same for all."""
    column: list[float] = np.broadcast_to(np.ravel(value).astype(float), (count,)).tolist()
    return column
