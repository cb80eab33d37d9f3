"""Slurm: an sbatch script with block topology, the topology itself, and what it starts on each node.

Options: sbatch of Slurm 24.11 (``--segment`` and ``--exclusive=topo`` need the topology/block plugin of 24.05 or later).
"""

from __future__ import annotations

from tianji.exporters.contract import Limits, Target
from tianji.exporters.formats.arguments import Argument, Artefact, Tree
from tianji.exporters.formats.quoting import clean_comment
from tianji.exporters.formats.serialize import comment_lines
from tianji.exporters.plan_facts.header import header_lines
from tianji.exporters.plan_facts.hosts import HostLayout, count_hosts, segment_nodes
from tianji.exporters.schedulers.job_names import job_name
from tianji.exporters.schedulers.node_script import node_artefacts
from tianji.parallel.plan import Plan


def write(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the sbatch script, a topology.conf for it, and the files of each node."""
    hosts = count_hosts(plan, limits)
    inner = node_artefacts(plan, limits)
    limits.check()
    segment = segment_nodes(plan)
    lines = [
        f"#SBATCH {_directive(a):<44}  # {clean_comment(a.comment)}".rstrip(" #")
        for a in _options(plan, hosts, segment)
    ]
    header = comment_lines(
        "Slurm job, written by Tianji: sbatch job.sbatch, from the engine's folder.", "", *header_lines(plan, limits)
    )
    text = "\n".join(["#!/usr/bin/env bash", *lines, header, _body(inner[0].name)])
    files = [Artefact("job.sbatch", text, is_executable=True), *inner]
    if segment > 1:
        files.append(Artefact("topology.conf", _topology(plan)))
    return files


def _directive(argument: Argument) -> str:
    return argument.name if argument.value is None else f"{argument.name}={argument.value}"


def _options(plan: Plan, hosts: HostLayout, segment: int) -> Tree:
    resource = "npu" if plan.pool.chip.ecosystem == "cann" else "gpu"
    arguments = [
        Argument("--job-name", job_name(plan)),
        Argument("--nodes", hosts.nodes),
        Argument("--ntasks-per-node", 1, "torchrun starts the processes of a node"),
        Argument("--gres", f"{resource}:{hosts.per_node}"),
        Argument("--time", "24:00:00", "yours to choose"),
        Argument("--requeue", None, "a lost node starts the job anew, from its last checkpoint"),
        Argument("--no-kill", None, "a lost node does not end the others before they have saved"),
        Argument("--signal", "B:USR1@300", "five minutes' notice, to save a checkpoint"),
        Argument("--open-mode", "append", "logs survive a requeue"),
        Argument("--output", "%x-%j.log"),
    ]
    if segment > 1:
        unit = plan.pool.tiers[0].name if segment == 1 else "scale-up unit"
        arguments.insert(2, Argument("--segment", segment, f"nodes that must share one {unit}; it divides the nodes"))
        arguments.insert(3, Argument("--exclusive", "topo", "nobody else in the blocks"))
    else:
        arguments.insert(2, Argument("--exclusive", None, "nobody else on the nodes"))
    return tuple(arguments)


def _body(script: str) -> str:
    return f"""set -euo pipefail

# The first node of the list is the master: srun numbers nodes in topology order, as the ranks are.
MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export MASTER_ADDR

# Slurm sends USR1 to this script before the time is up: hand it on, and wait for the checkpoint.
trap 'kill -USR1 "$STEP" 2>/dev/null; wait "$STEP"' USR1

# SLURM_NODEID is each node's number; {script} takes it as NODE_RANK.
srun --kill-on-bad-exit=1 --distribution=block bash "${{LAUNCH_FOLDER:-$SLURM_SUBMIT_DIR}}/{script}" &
STEP=$!
wait "$STEP"
"""


def _topology(plan: Plan) -> str:
    """Return blocks of one innermost scale-up unit beyond the node, and the sizes of the units around it."""
    node = plan.pool.node
    fast = [s for t, s in zip(plan.pool.tiers, plan.pool.spans(), strict=True) if t.kind == "scale-up" and s > node]
    base = max(fast[0] // node, 1)
    nodes = max(-(-plan.pool.chips // node), 1)
    sizes = [base]
    for span in fast[1:]:
        count = span // node
        # Slurm takes the base size times powers of two.
        if count % base == 0 and (count // base) & (count // base - 1) == 0 and count > sizes[-1]:
            sizes.append(count)
    lines = [
        f"BlockName=b{i:04d} Nodes=n[{i * base:05d}-{min((i + 1) * base, nodes) - 1:05d}]"
        for i in range(-(-nodes // base))
    ]
    head = comment_lines(
        "Block topology of the pool, for topology/block. FILL IN: your own host names, in the order of the fabric.",
        f"One block is {base} nodes: {fast[0]} chips that share one fabric.",
    )
    return head + "\n".join([*lines, f"BlockSizes={','.join(map(str, sizes))}"]) + "\n"


TARGET = Target("slurm", "sbatch script with block topology, and what it starts", write)
