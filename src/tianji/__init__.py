"""Tianji plans and predicts large-model training on pools of chips.

The nouns and the verbs are importable from here; each is loaded when it is first used, so that ``import tianji`` and
the command line start fast.
"""

from __future__ import annotations

from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tianji import migrate, model, pool
    from tianji.api.answer import Answer
    from tianji.api.browsing import browse
    from tianji.api.comparing import compare, replace, size
    from tianji.api.exporting import export
    from tianji.api.failures import goodput
    from tianji.api.operation_parts import operate
    from tianji.api.planning import plan
    from tianji.api.predicting import predict
    from tianji.api.running import explain, run
    from tianji.api.smallest_size import smallest
    from tianji.api.validating import calibrate, validate
    from tianji.backends import RunOptions
    from tianji.catalog import (
        list_chips,
        list_failure_profiles,
        list_models,
        list_pools,
        load_calibration,
        load_chip,
        load_failures,
        load_model,
        load_pool,
        make_job,
    )
    from tianji.comparison import Assumptions, Comparison, Replacement, Sizing
    from tianji.errors import InfeasibleError, TianjiError
    from tianji.hardware import Chip, Figure, Pool, Tier
    from tianji.hardware.calibration import Calibration
    from tianji.parallel import Strategy
    from tianji.parallel.layouts import abbreviate_layout, complete_layout
    from tianji.parallel.plan import Plan
    from tianji.parallel.plan_file import read_plan, write_plan
    from tianji.prediction.goodput import Goodput
    from tianji.ranges import Range
    from tianji.reliability import Reliability
    from tianji.result import Measurement, Result, read_result, write_result
    from tianji.search import Outcome
    from tianji.validation import Verdict
    from tianji.workload import MLA, Job, Model, MoE, Precision

    __version__: str

__all__ = [
    "MLA", "Answer", "Assumptions", "Calibration", "Chip", "Comparison", "Figure", "Goodput", "InfeasibleError",
    "Job", "Measurement", "MoE", "Model", "Outcome", "Plan", "Pool", "Precision", "Range", "Reliability",
    "Replacement", "Result", "RunOptions", "Sizing", "Strategy", "TianjiError", "Tier", "Verdict", "__version__",
    "abbreviate_layout", "browse", "calibrate", "compare", "complete_layout", "explain",
    "export", "goodput", "list_chips", "list_failure_profiles", "list_models", "list_pools",
    "load_calibration", "load_chip", "load_failures", "load_model", "load_pool", "make_job", "migrate", "model",
    "operate", "plan", "pool", "predict", "read_plan", "read_result", "replace", "run", "size", "smallest", "validate",
    "write_plan", "write_result",
]  # fmt: skip

_ROOMS = {
    "api.answer": ("Answer",),
    "api.browsing": ("browse",),
    "api.comparing": ("compare", "replace", "size"),
    "api.exporting": ("export",),
    "api.failures": ("goodput",),
    "api.operation_parts": ("operate",),
    "api.planning": ("plan",),
    "api.predicting": ("predict",),
    "api.running": ("explain", "run"),
    "api.smallest_size": ("smallest",),
    "api.validating": ("calibrate", "validate"),
    "backends": ("RunOptions",),
    "catalog": (
        "list_chips", "list_failure_profiles", "list_models", "list_pools", "load_calibration", "load_chip",
        "load_failures", "load_model", "load_pool", "make_job",
    ),
    "comparison": ("Assumptions", "Comparison", "Replacement", "Sizing"),
    "errors": ("InfeasibleError", "TianjiError"),
    "hardware": ("Chip", "Figure", "Pool", "Tier"),
    "hardware.calibration": ("Calibration",),
    "parallel": ("Strategy",),
    "parallel.layouts": ("abbreviate_layout", "complete_layout"),
    "parallel.plan": ("Plan",),
    "parallel.plan_file": ("read_plan", "write_plan"),
    "prediction.goodput": ("Goodput",),
    "ranges": ("Range",),
    "reliability": ("Reliability",),
    "result": ("Measurement", "Result", "read_result", "write_result"),
    "search": ("Outcome",),
    "validation": ("Verdict",),
    "workload": ("MLA", "Job", "MoE", "Model", "Precision"),
}  # fmt: skip
"""Where each exported name lives."""
_GROUPS = ("migrate", "model", "pool")
"""Groups of verbs, as on the command line."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("tianji")
    if name in _GROUPS:
        return import_module(f"tianji.{name}")
    for room, names in _ROOMS.items():
        if name in names:
            value = getattr(import_module(f"tianji.{room}"), name)
            if isinstance(value, FunctionType):
                value = import_module("tianji.api.door").python_door(value)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'tianji' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
