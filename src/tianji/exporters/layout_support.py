"""Which frameworks run a layout exactly: each target that has a search space of its own is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tianji.exporters.runnable import OWN, SPACES, find_reason, runs_exactly
from tianji.hardware.calibration import Calibration
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import Strategy
from tianji.search.refinement import refine


@dataclass(frozen=True, slots=True)
class LayoutSupport:
    """What runs the layout of the best plan; the trainer of ``tianji run`` is not counted, for it is no engine of a cluster."""

    frameworks: tuple[str, ...]
    """Those that run it exactly."""
    why: str
    """Where none does: what the framework of the software says against it."""
    runnable: Plan | None
    """Where none does: the first of the other plans that one runs."""
    by: tuple[str, ...]
    """The frameworks that run that one."""


def find_support(best: Plan, others: Iterable[Plan], calibration: Calibration, preferred: str = "") -> LayoutSupport:
    """Return what runs the layout of the best plan, and where nothing does, the first of the other plans that something runs.

    Args:
        best: The best plan, of one pool.
        others: Further plans, the best first; that which is returned has its best stages.
        calibration: What prices them.
        preferred: The framework whose word counts where none runs it: that of the software that the plan is priced under.
    """
    if frameworks := _find_frameworks(best):
        return LayoutSupport(frameworks, "", None, ())
    why = (find_reason(preferred, best) if preferred in SPACES else "") or ""
    for plan in others:
        if by := _find_frameworks(plan):
            named = _name_stages(by[0], plan, calibration)
            return LayoutSupport((), why, named, by if named == plan else _find_frameworks(named))
    return LayoutSupport((), why, None, ())


def _find_frameworks(plan: Plan) -> tuple[str, ...]:
    return tuple(name for name in SPACES if name != OWN and runs_exactly(name, plan))


def _name_stages(framework: str, plan: Plan, calibration: Calibration) -> Plan:
    """Return the plan with its best stages, where the framework takes them and they make it faster."""

    def can_name(strategy: Strategy) -> bool:
        return runs_exactly(framework, replace(plan, strategy=strategy))

    used = replace(plan.pool, chips=plan.strategy.chips)
    named = refine(plan.job, used, calibration.constants(used.chip), [plan.strategy], can_name)
    return replace(plan, strategy=named[plan.strategy].strategy) if plan.strategy in named else plan
