"""Which frameworks run the layout of a plan, as a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from tianji.parallel.layouts import abbreviate_layout
from tianji.result import Result


class RunnableLayoutDocument(TypedDict):
    """The plan of least expected regret whose layout a framework runs."""

    layout: str
    frameworks: list[str]
    step_time_s: float
    slower_by_ratio: float
    """Below zero where it is faster than plan 1, whose regret is smaller all the same."""


class LayoutSupportDocument(TypedDict):
    """Which frameworks run the layout of plan 1 exactly; under their own software it may take another time (`--runs-on`)."""

    frameworks: list[str]
    why: str
    """Where none does: what the framework of the software that was priced says against it; empty where none belongs to it."""
    runnable: RunnableLayoutDocument | None
    """Where none does; null where none runs any of the 60 layouts of least regret either."""
    preferred: str
    """The framework that belongs to the software that was priced; empty where none does."""


def layout_support_document(
    best: Result, frameworks: Sequence[str], why: str, runnable: Result | None, by: Sequence[str], preferred: str
) -> LayoutSupportDocument:
    """Return the document of what runs the best plan, or else of why nothing does, and of the best plan that something runs."""
    other: RunnableLayoutDocument | None = None
    if runnable is not None:
        slower = runnable.step_time.nominal / best.step_time.nominal - 1.0
        other = {
            "layout": abbreviate_layout(runnable.plan.strategy),
            "frameworks": list(by),
            "step_time_s": runnable.step_time.nominal,
            "slower_by_ratio": slower,
        }
    return {
        "frameworks": list(frameworks),
        "why": why.partition(" would run another plan: ")[2] or why,
        "runnable": other,
        "preferred": preferred,
    }
