"""Tianji plans and predicts large-model training on pools of chips.

The nouns and the verbs are importable from here; each is loaded when it is first used, so that ``import tianji`` and
the command line start fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tianji.backends import RunOptions, run
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
    from tianji.comparison import Assumptions, Comparison, Replacement, Sizing, compare, replace_pool, size_pool
    from tianji.errors import InfeasibleError, TianjiError
    from tianji.hardware import Chip, Figure, Pool, Tier
    from tianji.hardware.calibration import Calibration
    from tianji.parallel import Strategy
    from tianji.parallel.layouts import abbreviate_layout, complete_layout
    from tianji.parallel.plan import Plan
    from tianji.parallel.plan_file import read_plan, write_plan
    from tianji.prediction import predict
    from tianji.prediction.goodput import Goodput, expect_goodput
    from tianji.ranges import Range
    from tianji.reliability import Reliability
    from tianji.result import Measurement, Result, read_result, write_result
    from tianji.search import Outcome, plan
    from tianji.validation import Verdict, validate
    from tianji.workload import MLA, Job, Model, MoE, Precision

__all__ = [
    "MLA", "Assumptions", "Calibration", "Chip", "Comparison", "Figure", "Goodput", "InfeasibleError", "Job",
    "Measurement", "MoE", "Model", "Outcome", "Plan", "Pool", "Precision", "Range", "Reliability", "Replacement",
    "Result", "RunOptions", "Sizing", "Strategy", "TianjiError", "Tier", "Verdict", "abbreviate_layout", "compare",
    "complete_layout", "expect_goodput", "list_chips", "list_failure_profiles", "list_models", "list_pools",
    "load_calibration", "load_chip", "load_failures", "load_model", "load_pool", "make_job", "plan", "predict",
    "read_plan", "read_result", "replace_pool", "run", "size_pool", "validate", "write_plan", "write_result",
]  # fmt: skip

_ROOMS = {
    "backends": ("RunOptions", "run"),
    "catalog": (
        "list_chips", "list_failure_profiles", "list_models", "list_pools", "load_calibration", "load_chip",
        "load_failures", "load_model", "load_pool", "make_job",
    ),
    "comparison": ("Assumptions", "Comparison", "Replacement", "Sizing", "compare", "replace_pool", "size_pool"),
    "errors": ("InfeasibleError", "TianjiError"),
    "hardware": ("Chip", "Figure", "Pool", "Tier"),
    "hardware.calibration": ("Calibration",),
    "parallel": ("Strategy",),
    "parallel.layouts": ("abbreviate_layout", "complete_layout"),
    "parallel.plan": ("Plan",),
    "parallel.plan_file": ("read_plan", "write_plan"),
    "prediction": ("predict",),
    "prediction.goodput": ("Goodput", "expect_goodput"),
    "reliability": ("Reliability",),
    "ranges": ("Range",),
    "result": ("Measurement", "Result", "read_result", "write_result"),
    "search": ("Outcome", "plan"),
    "validation": ("Verdict", "validate"),
    "workload": ("MLA", "Job", "MoE", "Model", "Precision"),
}  # fmt: skip
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
