"""What a plan of experts in perfect balance stands at when they are not: the line that says what was assumed."""

from __future__ import annotations

from dataclasses import replace

from tianji.hardware.calibration import Calibration
from tianji.measurements.table import NATURAL_IMBALANCE
from tianji.prediction.predict_plan import predict
from tianji.result import Result

CASES = (NATURAL_IMBALANCE, 1.2, 1.5)
"""Loads of the busiest expert rank over the mean: as natural routing was measured, and two worse ones."""


def describe_balance(result: Result, calibration: Calibration) -> tuple[str, ...]:
    """Return what is assumed of the experts' balance, with the step at other loads; nothing where it was stated or cannot matter.

    Natural routing was measured 4 to 20 % slower than forced balance in the publications that have both.
    """
    plan = result.plan
    if plan.job.model.moe is None or plan.strategy.ep == 1 or plan.job.moe_imbalance != 1.0:
        return ()
    cases: list[str] = []
    for load in CASES:
        other = predict(replace(plan, job=replace(plan.job, moe_imbalance=load)), calibration)
        longer = other.step_time.nominal / result.step_time.nominal - 1.0
        misfit = "" if other.fits or not result.fits else " and does not fit"
        cases.append(f"{load:g} ({longer * 100:+.1f} % a step{misfit})")
    natural, *worse = cases
    return (
        f"experts in perfect balance, as forced routing has them: natural routing was measured at {natural}, worse balance"
        f" is {' and '.join(worse)}; --moe-imbalance takes a load",
    )
