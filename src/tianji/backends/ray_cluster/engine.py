"""The Ray engine: an agent on each node, placed as the pool's tiers say, under the same supervision as on one machine."""

from __future__ import annotations

from collections.abc import Mapping

from tianji.backends.machine import check_extra, check_machine
from tianji.backends.options import RunOptions
from tianji.backends.ray_cluster.connection import check_ray
from tianji.backends.ray_cluster.hosts import RayHosts
from tianji.backends.ray_cluster.pool_state import has_ray_pool
from tianji.backends.runtime.hosts import AgentHosts
from tianji.backends.support import check_support
from tianji.parallel.plan import Plan
from tianji.units import Seconds


class RayEngine:
    """Trains on the cluster that :func:`connect` finds; without one, on a private cluster of this machine."""

    name = "ray"

    def check(self, plan: Plan, options: RunOptions) -> None:
        """Raise InputError unless the plan can be trained; whether the cluster has the chips is seen when it is asked."""
        check_support(plan)
        check_extra()
        check_ray()
        if not has_ray_pool():
            check_machine(plan, options)

    def chips_per_agent(self, plan: Plan) -> int:
        """Return the ranks of a node of the plan's pool: they stand on one host."""
        return min(plan.pool.node, plan.strategy.chips)

    def open_hosts(
        self, plan: Plan, options: RunOptions, node: int, lease: Seconds, environment: Mapping[str, str]
    ) -> AgentHosts:
        """Return the hosts of the cluster, with all chips of the plan's pool reserved."""
        return RayHosts(plan, options, node, lease, environment)
