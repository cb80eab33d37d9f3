"""Pipeline schedules: one file each. Whatever file of this folder has a ``SCHEDULE`` is one, known everywhere by its name."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tianji.parallel.schedules.schedule import PipelineSchedule, ScheduleRule, Waits

__all__ = ["SCHEDULES", "PipelineSchedule", "ScheduleRule", "Waits"]


def _find_schedules() -> dict[str, PipelineSchedule]:
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    schedules = [module.SCHEDULE for module in modules if hasattr(module, "SCHEDULE")]
    return {schedule.name: schedule for schedule in sorted(schedules, key=lambda s: (s.year, s.name))}


SCHEDULES: dict[str, PipelineSchedule] = _find_schedules()
"""All schedules by name, the oldest first."""
