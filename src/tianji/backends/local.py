"""The local engine: all ranks on this machine, under one agent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tianji.backends.machine import check_extra, check_inputs, check_machine, check_port
from tianji.backends.options import RunOptions
from tianji.backends.runtime.hosts import AgentHosts, LocalHosts
from tianji.backends.support import check_support
from tianji.parallel.plan import Plan
from tianji.units import Seconds


class LocalEngine:
    """Starts agents in process groups of their own, which fork the ranks; the kernel ends all of them with this process."""

    name = "local"

    def check(self, plan: Plan, options: RunOptions) -> None:
        """Raise InputError unless the plan can run on this machine."""
        check_support(plan)
        check_extra()
        check_inputs(plan, options)
        check_machine(plan, options)
        check_port(options.port)

    def chips_per_agent(self, plan: Plan) -> int:
        """Return the ranks that one agent starts in a run: all of them, so that torch is imported once."""
        return plan.strategy.chips

    def open_hosts(
        self, plan: Plan, options: RunOptions, node: int, lease: Seconds, environment: Mapping[str, str]
    ) -> AgentHosts:
        """Return this machine; it needs no lease, since the kernel ends the ranks of an agent that is killed."""
        return LocalHosts(Path(options.out), environment)
