"""Engines that run a plan for real, one file each, and the trainer that their workers are made of.

The names are loaded when they are first used: who only asks where a sweep is worked out needs no engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tianji.backends.engine import Engine, find_engine, run
    from tianji.backends.options import RunOptions

__all__ = ["Engine", "RunOptions", "find_engine", "run"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{'options' if name == 'RunOptions' else 'engine'}"), name)
