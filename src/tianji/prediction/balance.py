"""What a plan of experts in perfect balance stands at when they are not: the line that says what was assumed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tianji.hardware.calibration import Calibration
from tianji.measurements.table import NATURAL_IMBALANCE
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
    plan = result.plan
    if plan.job.model.moe is None or plan.strategy.ep == 1 or plan.job.moe_imbalance != 1.0:
        return ()
    others = [predict(replace(plan, job=replace(plan.job, moe_imbalance=load)), calibration) for load in CASES]
    step = result.step_time.nominal
    return tuple(
        AtLoad(load, other, other.step_time.nominal / step - 1.0) for load, other in zip(CASES, others, strict=True)
    )


def describe_balance(result: Result, calibration: Calibration) -> tuple[str, ...]:
    """Return what is assumed of the experts' balance, with the step at other loads; nothing where it was stated or cannot matter.

    Natural routing was measured 4 to 20 % slower than forced balance in the publications that have both.
    """
    cases: list[str] = []
    for case in weigh_balance(result, calibration):
        misfit = "" if case.result.fits or not result.fits else " and does not fit"
        cases.append(f"{case.load:g} ({case.longer * 100:+.1f} % a step{misfit})")
    if not cases:
        return ()
    natural, *worse = cases
    return (
        f"experts in perfect balance, as forced routing has them: natural routing was measured at {natural}, worse balance"
        f" is {' and '.join(worse)}; --moe-imbalance takes a load",
    )
