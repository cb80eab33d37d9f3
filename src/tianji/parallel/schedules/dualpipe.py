"""DualPipe: micro-batches come in at both ends of the pipeline, and a rank holds two stages, i and p - 1 - i.

Its makers give a bubble of (p/2 - 1)(F&B + B - 3W); F&B, a forward beside a backward pass, counts as F + B here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tianji.parallel.schedules.schedule import PipelineSchedule, ScheduleRule, Waits, least, most

if TYPE_CHECKING:
    from tianji.units import Array


def _waits(p: Array, v: Array) -> Waits:
    # Of p - 1 other stages the pipeline waits for p/2 - 1; one stage or two wait for none.
    share = most(p / 2 - 1, 0) / most(p - 1, 1)
    return Waits(work=share, backward=share, weight=3.0 * share, sends=share, gathers=share)


SCHEDULE = PipelineSchedule(
    name="dualpipe",
    year=2024,
    source="DeepSeek-V3 report 2024",
    waits=_waits,
    in_flight=lambda p, v, m, i: least(m, p + 1),
    rules=(
        ScheduleRule(
            "dualpipe",
            lambda p, m: (p % 2 == 0) & (m >= 2 * p),
            lambda p: f"DualPipe needs an even pp (here {p}) and at least 2·pp micro-batches",
        ),
    ),
    is_paired=True,
)
