"""1F1B: a stage does one pass forward and one backward in turn, so that it holds no more micro-batches than stages follow it."""

from tianji.parallel.schedules.schedule import PipelineSchedule, least

SCHEDULE = PipelineSchedule(
    name="1f1b",
    year=2019,
    source="Narayanan et al. 2019 (PipeDream) and 2021 (its form with a flush)",
    in_flight=lambda p, v, m, i: least(m, p - i),
)
