"""Engines that run a plan for real, one file each, and the trainer that their workers are made of."""

from tianji.backends.engine import Engine, find_engine, run
from tianji.backends.options import RunOptions

__all__ = ["Engine", "RunOptions", "find_engine", "run"]
