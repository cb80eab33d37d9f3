"""What every engine can do, the list of engines, and a run on any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Protocol, cast

from tianji.backends.options import RunOptions
from tianji.backends.runtime.hosts import AgentHosts
from tianji.errors import InputError, UnknownNameError
from tianji.parallel.plan import Plan
from tianji.result import Result
from tianji.units import Seconds

ENGINES: Mapping[str, str] = {
    "local": "tianji.backends.local:LocalEngine",
    "ray": "tianji.backends.ray_cluster.engine:RayEngine",
}
"""By the name that ``--engine`` takes: module and class, imported when they are asked for."""
BACKENDS = ("torch", "mindspore")
LEASE: Seconds = 120.0
"""Ranks of a run on a host that cannot be reached end by themselves after this long."""


class Engine(Protocol):
    """Brings agents to machines; they start the ranks of a plan and watch over them."""

    name: str

    def check(self, plan: Plan, options: RunOptions) -> None:
        """Raise InputError, with what to do, unless this engine can run the plan here."""

    def chips_per_agent(self, plan: Plan) -> int:
        """Return how many consecutive ranks of a run share an agent."""

    def open_hosts(
        self, plan: Plan, options: RunOptions, node: int, lease: Seconds, environment: Mapping[str, str]
    ) -> AgentHosts:
        """Return the machines of all chips of the plan's pool, in nodes of ``node`` chips; ``options.out`` is the job's folder.

        ``environment`` goes before the variables that an agent inherits. Raises RunError when they cannot be had.
        """


def find_engine(name: str = "local") -> Engine:
    """Return an engine by the name that the command line takes.

    Raises UnknownNameError for a name that is none.
    """
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    module, _, kind = ENGINES[name].partition(":")
    return cast(Engine, getattr(import_module(module), kind)())


def run(plan: Plan, options: RunOptions | None = None, backend: str = "torch", engine: str = "local") -> Result:
    """Train a plan's model for real and return what was measured; ``options`` default to :class:`RunOptions`'s own.

    What is written is under ``options.out``. Raises UnknownNameError for a backend or engine that is none, InputError for a plan
    that cannot run, and RunError when a rank fails or is lost.
    """
    options = options or RunOptions()
    if backend not in BACKENDS:
        raise UnknownNameError("backend", backend, BACKENDS)
    chosen = find_engine(engine)
    if backend == "mindspore":
        from tianji.backends.mindspore.engine import MindSporeEngine

        if engine != "local":
            raise InputError(f"MindSpore's ranks run on this machine: expected --engine local, got {engine}")
        return MindSporeEngine().run(plan, options)
    return run_on(chosen, plan, options)


def run_on(engine: Engine, plan: Plan, options: RunOptions) -> Result:
    """Train a plan's model on an engine and return what was measured."""
    from tianji.backends.run_folder import finish_run, prepare_run
    from tianji.backends.runtime.supervise import run_ranks

    engine.check(plan, options)
    job = prepare_run(plan, options, engine.chips_per_agent(plan))
    options = replace(options, out=str(job.folder))
    ranks = replace(plan, pool=replace(plan.pool, chips=plan.strategy.chips))
    run_ranks(engine.open_hosts(ranks, options, job.node, LEASE, {}), job)
    return finish_run(plan, options, engine.name)
