"""GPipe: all micro-batches go forward, then all go backward. It waits like 1F1B and holds all of them."""

from tianji.parallel.schedules.schedule import PipelineSchedule, least

SCHEDULE = PipelineSchedule(
    name="gpipe",
    year=2019,
    source="Huang et al. 2019",
    in_flight=lambda p, v, m, i: least(m),
)
