"""Which number of chips, up to those of a pool, makes a useful token at the least cost or energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tianji.comparison.assessment import Assessment, Assumptions, ask_cost, assess
from tianji.comparison.curve import Curve
from tianji.economics import ask_power
from tianji.errors import IllegalStrategyError, InfeasibleError, UnknownNameError
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.prediction.mapper import Mapper
from tianji.ranges import Range
from tianji.search import plan
from tianji.search.options import MARGIN
from tianji.units import TERA
from tianji.workload import Job

OBJECTIVES = ("cost", "energy")
UNITS = {"cost": "USD for 10¹² useful tokens", "energy": "J for a useful token"}


@dataclass(frozen=True, slots=True)
class CheapestSize:
    """The number of chips that spends least, beside all that were offered."""

    objective: str
    pool: Pool
    """With the chosen number of chips."""
    offered: int
    """Chips of the pool that was asked for."""
    tried: int
    """Numbers of chips on which something fits."""
    spent: Range
    on_all: Range | None
    """The same on all offered chips; None where nothing fits them."""

    @property
    def unit(self) -> str:
        """What ``spent`` counts."""
        return UNITS[self.objective]


def find_cheapest_size(
    job: Job, pool: Pool, calibration: Calibration, objective: str, assumptions: Assumptions | None = None, *,
    fixed: Mapping[str, Any] | None = None, points: int = 12, mapper: Mapper | None = None,
) -> CheapestSize:  # fmt: skip
    """Return the number of chips, up to those of the pool, that makes a useful token cheapest.

    On a given number of chips the fastest plan is the cheapest too, so only that number is left to choose. ``fixed`` holds
    strategy fields to values.

    Raises InfeasibleError where the model fits no number, UnknownFigureError where no price or power is known.
    """
    if objective not in OBJECTIVES:
        raise UnknownNameError("objective", objective, OBJECTIVES)
    curve = Curve(job, pool, calibration, assumptions or Assumptions(), mapper=mapper)
    counts = sorted({*curve.sample(min(pool.node, pool.chips), pool.chips, points), pool.chips})
    if fixed:
        curve.points.update({n: _assess_fixed(curve, n, fixed) for n in counts})
    curve.fill(counts)
    fitting = {n: a for n in counts if (a := curve.at(n)) is not None}
    if not fitting and fixed:
        # It raises, with the rule that the fixed strategy breaks.
        plan(job, pool, calibration, fixed=fixed, top=1, margin=MARGIN)
    if not fitting:
        raise InfeasibleError(
            f"{job.model.name} fits no number of chips of {pool.name} up to {pool.chips:,}; take more chips or a pool with larger"
            " memory"
        )
    spent = {n: _spent(a, objective) for n, a in fitting.items()}
    best = min(spent, key=lambda n: spent[n].nominal)
    return CheapestSize(
        objective, replace(pool, chips=best), pool.chips, len(spent), spent[best], spent.get(pool.chips)
    )


def _assess_fixed(curve: Curve, chips: int, fixed: Mapping[str, Any]) -> Assessment | None:
    try:
        outcome = plan(
            curve.job,
            replace(curve.pool, chips=chips),
            curve.calibration,
            fixed=fixed,
            top=1,
            margin=MARGIN,
            uneven="named",
        )
    except (IllegalStrategyError, InfeasibleError):
        return None
    return assess(outcome.results[0], curve.assumptions)


def _spent(a: Assessment, objective: str) -> Range:
    spent = None if a.bill is None else a.bill.energy * (1 / TERA) if objective == "energy" else a.bill.cost
    if spent is None:
        raise ask_power(a.pool) if objective == "energy" else ask_cost(a)
    return spent
