"""The rows of a comparison: every measure with its unit, its span and whether more of it is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tianji.comparison.assessment import Assessment
from tianji.comparison.mixed_assessment import MixedAssessment
from tianji.ranges import Range
from tianji.units import DAY, GIGA, KILO, MEGA, TERA

Assessed = Assessment | MixedAssessment
"""What a plan means: of a pool of one chip, or of a mixture."""
MWH = 3.6e9
"""Joules of 1 MWh."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One row. ``scale`` turns SI into the unit that ``unit`` names; ``better`` is ``more``, ``less`` or empty."""

    key: str
    title: str
    unit: str
    better: Literal["more", "less", ""]
    scale: float
    of: Callable[[Assessed], Range | None]


def _count(value: float | None) -> Range | None:
    return None if value is None else Range.exactly(float(value))


MEASURES = (
    Measure("days", "time of the run", "days", "less", 1.0, lambda a: a.days),
    Measure("tokens_per_s", "tokens/s", "", "more", 1.0, lambda a: a.tokens_per_s),
    Measure("tokens_per_s_per_chip", "tokens/s of one chip", "", "more", 1.0, lambda a: a.tokens_per_s / a.offered),
    Measure("mfu", "MFU", "%", "more", 100.0, lambda a: a.mfu),
    Measure("memory_headroom", "memory left on the fullest chip", "%", "more", 100.0,
            lambda a: _count(a.headroom)),
    Measure("goodput", "goodput", "%", "more", 100.0,
            lambda a: a.goodput.goodput),
    Measure("useful_tokens_per_day", "useful tokens a day", "billion", "more", DAY / GIGA, lambda a: a.useful),
    Measure("energy_per_token", "energy of a useful token", "J", "less", 1 / TERA, lambda a: a.energy),
    Measure("cost", "cost of 10¹² useful tokens", "k USD", "less", 1 / KILO, lambda a: a.cost),
    Measure("cost_of_run", "cost of the run", "M USD", "less", 1 / MEGA, lambda a: a.cost_of_run),
    Measure("capital", "capital expense if owned", "M USD", "less", 1 / MEGA, lambda a: a.capital),
    Measure("energy_of_run", "energy of the run", "MWh", "less", 1 / MWH, lambda a: a.energy_of_run),
    Measure("chip_hour", "price of a chip-hour", "USD", "less", 1.0, lambda a: a.hour_price),
    Measure("chips", "chips with spares", "", "", 1.0, lambda a: _count(a.chips)),
    Measure("cabinets", "cabinets", "", "less", 1.0, lambda a: _count(a.floor_space.cabinets)),
    Measure("area", "floor", "m²", "less", 1.0, lambda a: _count(a.floor_space.area)),
    Measure("optics", "optical modules", "", "", 1.0, lambda a: _count(a.floor_space.optics)),
    Measure("power", "power, busy", "kW", "less", 1 / KILO, lambda a: a.busy_power),
    Measure("power_site", "power with cooling, at most", "kW", "less", 1 / KILO,
            lambda a: a.site_power),
    Measure("power_idle", "power, idle", "kW", "", 1 / KILO, lambda a: a.idle_power),
    Measure("carbon", "CO₂ of 10¹² useful tokens", "t", "less", 1 / KILO, lambda a: a.carbon),
)  # fmt: skip
"""In the order of the tables."""
