"""Tianji plans and predicts large-model training on pools of chips.

The nouns and the verbs are importable from here; each is loaded when it is first used, so that ``import tianji`` and
the command line start fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tianji.hardware import Chip, Figure, Pool, Tier
    from tianji.parallel import Strategy
    from tianji.workload import MLA, Job, Model, MoE, Precision

__all__ = ["MLA", "Chip", "Figure", "Job", "MoE", "Model", "Pool", "Precision", "Strategy", "Tier"]

_ROOMS = {
    "hardware": ("Chip", "Figure", "Pool", "Tier"),
    "parallel": ("Strategy",),
    "workload": ("MLA", "Job", "MoE", "Model", "Precision"),
}
"""Where each exported name lives."""


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            value = getattr(import_module(f"tianji.{room}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'tianji' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
