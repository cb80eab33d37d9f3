"""What a plan of experts in perfect balance stands at when they are not: the line that says what was assumed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tianji.catalog.architectures import find_mixture
from tianji.hardware.calibration import Calibration
from tianji.measurements.rows import NATURAL_IMBALANCE
from tianji.parallel.plan import Plan
from tianji.prediction.many import bundle, predict_many
from tianji.prediction.predict_plan import predict
from tianji.result import Result

CASES = (NATURAL_IMBALANCE, 1.2, 1.5)
"""Loads of the busiest expert rank over the mean: as natural routing was measured, and two worse ones."""


@dataclass(frozen=True, slots=True)
class AtLoad:
    """A plan whose busiest expert rank has ``load`` times the mean."""

    load: float
    result: Result
    longer: float
    """Its step over that of perfect balance, less 1."""


def weigh_balance(result: Result, calibration: Calibration) -> tuple[AtLoad, ...]:
    """Return a plan of experts in perfect balance at other loads, natural routing first.

    Nothing where a load was stated or cannot matter.
    """
    step = result.step_time.nominal
    others = [predict(plan, calibration) for plan in _at_loads(result)]
    return tuple(
        AtLoad(load, other, other.step_time.nominal / step - 1.0) for load, other in zip(CASES, others, strict=False)
    )


def _at_loads(result: Result) -> list[Plan]:
    plan = result.plan
    if plan.job.model.moe is None or plan.strategy.ep == 1 or plan.job.moe_imbalance != 1.0:
        return []
    return [replace(plan, job=replace(plan.job, moe_imbalance=load)) for load in CASES]


def describe_balance(result: Result, calibration: Calibration) -> tuple[str, ...]:
    """Return what is assumed of the experts' balance, with the step at other loads; nothing where it was stated or cannot matter.

    Natural routing was measured 4 to 20 % slower than forced balance in the publications that have both.
    """
    plans = _at_loads(result)
    if not plans:
        return ()
    at = predict_many(bundle(plans), calibration.training(find_mixture(result.plan.job.model)).constants)
    cases: list[str] = []
    for load, seconds, size in zip(CASES, at.step_time.tolist(), at.memory.tolist(), strict=True):
        misfit = "" if size <= result.memory_limit or not result.fits else " and does not fit"
        cases.append(f"{load:g} ({(seconds / result.step_time.nominal - 1.0) * 100:+.1f} % a step{misfit})")
    natural, *worse = cases
    return (
        f"experts in perfect balance, as forced routing has them: natural routing was measured at {natural}, worse balance"
        f" is {' and '.join(worse)}; --moe-imbalance takes a load",
    )
