"""ZB-H1: weight gradients wait until nothing else is to do and fill the bubble. In flight as in 1F1B."""

from tianji.parallel.schedules.schedule import PipelineSchedule, Waits, least

SCHEDULE = PipelineSchedule(
    name="zero-bubble",
    year=2023,
    source="Qi et al. 2023: (p - 1)(F + B - 2W)",
    waits=lambda p, v: Waits(weight=2.0),
    in_flight=lambda p, v, m, i: least(m, p - i),
)
