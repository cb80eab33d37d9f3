"""Options of torchrun that every launcher shares."""

from __future__ import annotations

from tianji.exporters.formats.arguments import Argument, OptionGroup, Tree
from tianji.exporters.formats.shell_scripts import needed
from tianji.exporters.plan_facts.hosts import HostLayout

PORT = 29500


def host_needs(hosts: HostLayout) -> Tree:
    """Return the variables that tell a node its place; Slurm sets them by itself."""
    if hosts.nodes == 1:
        return (Argument("NODE_RANK", "${NODE_RANK:-0}"), Argument("MASTER_ADDR", "${MASTER_ADDR:-localhost}"))
    return (
        needed("NODE_RANK", "number of this node, from 0, in topology order", "SLURM_NODEID"),
        needed("MASTER_ADDR", "address of the node with NODE_RANK 0"),
    )


def torchrun_group(hosts: HostLayout) -> OptionGroup:
    """Return the options of torchrun."""
    return OptionGroup(
        "DISTRIBUTED_ARGS",
        "one process on each chip",
        (
            Argument("--nproc-per-node", hosts.per_node, "chips of a node"),
            Argument("--nnodes", hosts.nodes),
            Argument("--node-rank", "${NODE_RANK}"),
            Argument("--master-addr", "${MASTER_ADDR}"),
            Argument("--master-port", PORT),
        ),
    )
