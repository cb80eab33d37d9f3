"""Which number of chips, up to those of a pool, makes a useful token at the least cost or energy."""

from __future__ import annotations

from dataclasses import replace

from tianji.comparison.assessment import Assessment, Assumptions
from tianji.comparison.curve import Curve
from tianji.errors import InfeasibleError, UnknownFigureError, UnknownNameError
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.prediction.mapper import Mapper
from tianji.workload import Job

OBJECTIVES = ("cost", "energy")


def find_frugal(
    job: Job, pool: Pool, calibration: Calibration, objective: str, assumptions: Assumptions | None = None, *, points: int = 12,
    mapper: Mapper | None = None,
) -> Pool:  # fmt: skip
    """Return the pool with the number of chips, up to its own, that makes a useful token cheapest.

    On a given number of chips the fastest plan is the cheapest too, so only that number is left to choose.

    Raises InfeasibleError where the model fits no number, UnknownFigureError without a price or a power.
    """
    if objective not in OBJECTIVES:
        raise UnknownNameError("objective", objective, OBJECTIVES)
    curve = Curve(job, pool, calibration, assumptions or Assumptions(), mapper=mapper)
    counts = {*curve.sample(min(pool.node, pool.chips), pool.chips, points), pool.chips}
    curve.fill(sorted(counts))
    found = [a for a in (curve.at(n) for n in sorted(counts)) if a is not None]
    if not found:
        raise InfeasibleError(
            f"{job.model.name} fits no number of chips of {pool.name} up to {pool.chips:,}; take more chips or a pool with larger"
            " memory"
        )
    best = min(found, key=lambda a: _spent(a, objective))
    return replace(pool, chips=best.pool.chips)


def _spent(a: Assessment, objective: str) -> float:
    spent = None if a.bill is None else a.bill.energy if objective == "energy" else a.bill.cost
    if spent is None:
        raise UnknownFigureError(a.pool.chip.name, "price" if objective == "cost" else "power", "; ".join(a.unknown))
    return spent.nominal
