"""Which frameworks run the layout of a plan, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from tianji.formatting import format_duration, format_percent
from tianji.report.documents.layout_support import LayoutSupportDocument


def support_lead(support: LayoutSupportDocument | None) -> Iterator[str]:
    """Yield which frameworks run plan 1; where none does, why not, and what runs instead."""
    if support is None:
        return
    if support["frameworks"]:
        yield f"Frameworks that run the layout of plan 1: {', '.join(support['frameworks'])}."
        return
    asked = support["preferred"] or "FRAMEWORK"
    why = f" ({support['preferred']}: {support['why']})" if support["why"] else ""
    yield f"No framework that `tianji export` writes for runs the layout of plan 1{why}."
    runnable = support["runnable"]
    if runnable is None:
        yield f"--runs-on {asked} searches what it runs."
        return
    slower = runnable["slower_by_ratio"]
    how = f"{format_percent(slower)} longer" if slower >= 0.0005 else "no longer"
    yield (
        f"The best that one runs ({', '.join(runnable['frameworks'])}) of the layouts weighed is {runnable['layout']}:"
        f" {format_duration(runnable['step_time_s'])} a step, {how}; --runs-on {asked} searches all that it runs."
    )
