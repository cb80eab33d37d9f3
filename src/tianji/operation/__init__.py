"""Operating a pool: plan, run, answer failures, plan again for the chips that are left."""

from tianji.operation.controller import Controller, State
from tianji.operation.settings import Settings

__all__ = ["Controller", "Settings", "State"]
