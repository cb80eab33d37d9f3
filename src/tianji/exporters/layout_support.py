"""Which frameworks run a layout exactly: each target that has a search space of its own is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tianji.exporters.runnable import OWN, SPACES, find_reason, runs_exactly
from tianji.parallel.plan import Plan


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


def find_support(best: Plan, others: Iterable[Plan], preferred: str = "") -> LayoutSupport:
    """Return what runs the layout of the best plan, and where nothing does, the first of the other plans that something runs.

    Args:
        best: The best plan, of one pool.
        others: Further plans, the best first.
        preferred: The framework whose word counts where none runs it: that of the software that the plan is priced under.
    """
    if frameworks := _find_frameworks(best):
        return LayoutSupport(frameworks, "", None, ())
    why = find_reason(preferred, best) if preferred in SPACES else ""
    for plan in others:
        if by := _find_frameworks(plan):
            return LayoutSupport((), why or "", plan, by)
    return LayoutSupport((), why or "", None, ())


def _find_frameworks(plan: Plan) -> tuple[str, ...]:
    return tuple(name for name in SPACES if name != OWN and runs_exactly(name, plan))
