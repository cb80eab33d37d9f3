"""Interleaved 1F1B: a rank holds v chunks of layers, so that it waits for chunks and not for whole stages."""

from tianji.parallel.schedules.schedule import PipelineSchedule, ScheduleRule, Waits, least

SCHEDULE = PipelineSchedule(
    name="interleaved",
    year=2021,
    source="Narayanan et al. 2021",
    # As many sends as without chunks: a micro-batch goes round v times.
    waits=lambda p, v: Waits(work=1.0 / v, gathers=1.0 / v),
    in_flight=lambda p, v, m, i: least(m * v, (v - 1) * p + 2 * (p - i - 1) + 1) / v,
    rules=(
        ScheduleRule(
            "interleaved micro-batches",
            lambda p, m: m % p == 0,
            lambda p: f"interleaving needs micro-batches in multiples of pp={p}",
        ),
    ),
    is_chunked=True,
    hides_sends=True,
)
