"""DualPipeV: DualPipe cut in half. The pipeline turns round on the last rank, so that no stage is held twice.

Its makers give, for 2p half-stages on p ranks, a bubble of (p - 1)(F&B + B - 3W) of half-stages; F&B, a forward beside a
backward pass, counts as F + B here.
"""

from tianji.parallel.schedules.schedule import PipelineSchedule, ScheduleRule, Waits, least

SCHEDULE = PipelineSchedule(
    name="dualpipev",
    year=2025,
    source="DeepSeek, DualPipe's repository 2025; Qi et al. 2024 for the cut",
    waits=lambda p, v: Waits(work=0.5, backward=0.5, weight=1.5, sends=1.0, gathers=0.5),
    # 2p + 1 half-stages.
    in_flight=lambda p, v, m, i: least(m, p + 0.5),
    rules=(
        ScheduleRule(
            "dualpipev",
            lambda p, m: (p == 1) | (m >= 2 * p),
            lambda p: f"DualPipeV needs at least 2·pp micro-batches (here pp is {p})",
        ),
    ),
    halves=2,
    on_request=True,
)
