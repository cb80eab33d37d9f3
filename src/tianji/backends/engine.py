"""What every engine can do: say whether it can run a plan, and run it."""

from __future__ import annotations

from typing import Protocol

from tianji.backends.options import RunOptions
from tianji.errors import InputError, UnknownNameError
from tianji.parallel.plan import Plan
from tianji.result import Result

ENGINES = ("local", "ray")
BACKENDS = ("torch", "mindspore")


class Engine(Protocol):
    """Brings up the workers of a plan, watches over them and gathers what they measured."""

    name: str

    def check(self, plan: Plan, options: RunOptions) -> None:
        """Raise InputError, with what to do, unless this engine can run the plan here."""

    def run(self, plan: Plan, options: RunOptions) -> Result:
        """Run a plan and return the measured result; what was written is under ``options.out``.

        Raises what :meth:`check` raises, and RunError when a worker fails.
        """


def find_engine(backend: str = "torch", engine: str = "local") -> Engine:
    """Return an engine by the names that the command line takes.

    Raises UnknownNameError, and MissingExtraError where what it needs is not installed.
    """
    if backend not in BACKENDS:
        raise UnknownNameError("backend", backend, BACKENDS)
    if engine not in ENGINES:
        raise UnknownNameError("engine", engine, ENGINES)
    if backend == "mindspore":
        from tianji.backends.mindspore.engine import MindSporeEngine

        if engine != "local":
            raise InputError(f"MindSpore's ranks run on this machine: expected --engine local, got {engine}")
        return MindSporeEngine()
    if engine == "ray":
        from tianji.backends.ray_cluster.engine import RayEngine

        return RayEngine()
    from tianji.backends.local import LocalEngine

    return LocalEngine()


def run(plan: Plan, options: RunOptions | None = None, backend: str = "torch", engine: str = "local") -> Result:
    """Train a plan's model for real and return what was measured; ``options`` default to :class:`RunOptions`'s own.

    Raises UnknownNameError for a backend or engine that is none, and what the engine's ``run`` raises.
    """
    return find_engine(backend, engine).run(plan, options or RunOptions())
