"""HostLayout and ranks: how many processes a plan needs on how many nodes, and which rank sits on which chip."""

from __future__ import annotations

from dataclasses import dataclass

from tianji.exporters.contract import Limits
from tianji.parallel.plan import Plan


@dataclass(frozen=True, slots=True)
class HostLayout:
    """Nodes of a job and processes on each."""

    nodes: int
    per_node: int


def count_hosts(plan: Plan, limits: Limits) -> HostLayout:
    """Return the nodes that a plan fills; a plan that leaves a part of its last node idle is refused."""
    chips, node = plan.strategy.chips, plan.pool.node
    refuse_packages(plan, limits)
    if chips > node and chips % node:
        limits.refuse(
            f"{chips:,} chips do not fill nodes of {node}: launchers start equally many processes on every node"
            f" (take {chips - chips % node:,} chips)"
        )
    return HostLayout(max(-(-chips // node), 1), min(chips, node))


def rank_order(plan: Plan) -> tuple[str, ...]:
    """Return the axes from the fastest-running to the slowest, as the plan's placement numbers the ranks."""
    outer = ("dp", "pp") if plan.strategy.placement == "dp-inside" else ("pp", "dp")
    return ("tp", "cp", *outer)


def describe_order(plan: Plan) -> str:
    """Return the order of ranks in words."""
    inner, *_ = plan.pool.tiers
    dashes = "tp-cp-ep-dp-pp" if plan.strategy.placement == "dp-inside" else "tp-cp-ep-pp-dp"
    return (
        f"Rank order {dashes}, the first changes fastest: the order that the plan was priced with. Consecutive ranks"
        f" fill a node, then a unit of the tier {inner.name!r}, and so on outwards; keep the hosts in topology order."
    )


def rank_table(plan: Plan, limits: Limits) -> str:
    """Return one line for each rank: its node, its chip there, its unit of each tier and its place on each axis."""
    hosts, s = count_hosts(plan, limits), plan.strategy
    spans = plan.pool.spans()[:-1]
    tiers = [tier.name for tier in plan.pool.tiers[:-1]]
    sizes = {"tp": s.tp, "cp": s.cp, "dp": s.dp, "pp": s.pp}
    order = rank_order(plan)
    lines = ["\t".join(["rank", "node", "chip", *(f"unit of {name}" for name in tiers), *order, "expert rank"])]
    for rank in range(s.chips):
        rest, places = rank, []
        for axis in order:
            rest, place = divmod(rest, sizes[axis])
            places.append(place)
        at = dict(zip(order, places, strict=True))
        within = at["tp"] + s.tp * (at["cp"] + s.cp * at["dp"])
        expert = within // s.etp % s.ep
        units = [rank // span for span in spans]
        lines.append("\t".join(str(n) for n in (rank, *divmod(rank, hosts.per_node), *units, *places, expert)))
    return "\n".join(lines) + "\n"


def segment_nodes(plan: Plan) -> int:
    """Return how many consecutive nodes must lie in one unit of the outermost scale-up tier.

    Consecutive ranks fill such a unit, as the plan was priced, so this is the largest divisor of the job's nodes that one
    unit holds; 1 where the scale-up fabric ends at the node.
    """
    node = plan.pool.node
    nodes = max(-(-plan.strategy.chips // node), 1)
    fast = [span for tier, span in zip(plan.pool.tiers, plan.pool.spans(), strict=True) if tier.kind == "scale-up"]
    most = max((fast[-1] if fast else node) // node, 1)
    return largest_divisor(nodes, most)


def largest_divisor(value: int, most: int) -> int:
    """Return the largest divisor of a count that is at most ``most``.

    >>> largest_divisor(12, 8)
    6
    """
    return next(n for n in range(min(value, max(most, 1)), 0, -1) if value % n == 0)


DIES = {"ascend-910c": (2, "ascend-910c-die", "atlas-900-a3-dies")}
"""Chips of the catalog that are packages: how many dies, the die as a chip, a pool of it. A process drives one die."""


def refuse_packages(plan: Plan, limits: Limits) -> None:
    """Refuse a plan whose ranks are packages of several devices, and say which pool counts devices."""
    if plan.pool.chip.name not in DIES:
        return
    dies, die, pool = DIES[plan.pool.chip.name]
    chips = plan.strategy.chips
    limits.refuse(
        f"a rank of this plan is a package of {dies} dies ({plan.pool.chip.name}), and frameworks start a process for"
        f" each die: the {chips:,} ranks would become {chips * dies:,} with other groups (plan the same hardware counted"
        f" in dies: `tianji plan MODEL {pool} --chips {chips * dies} --out plan.json`; in a pool file of your own the chip"
        f" is {die})"
    )
