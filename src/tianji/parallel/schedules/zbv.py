"""ZB-V: the pipeline turns round on the last rank, so that a rank holds two half-stages and waits for halves."""

from tianji.parallel.schedules.schedule import PipelineSchedule, Waits, least

SCHEDULE = PipelineSchedule(
    name="zbv",
    year=2024,
    source="Qi et al. 2024: (p - 1)(F + B - 2W) / 2",
    waits=lambda p, v: Waits(work=0.5, weight=1.0, gathers=0.5),
    in_flight=lambda p, v, m, i: least(m, p),
    halves=2,
    on_request=True,
)
