"""How many chips a launch takes: from its launcher's options, its variables, its Slurm lines."""

from __future__ import annotations

import re

from tianji.errors import FormatError
from tianji.exporters.launch_reader.options import Options

PER_NODE = (
    "--nproc-per-node", "--actor-num-gpus-per-node", "--worker-num-per-node", "--local-worker-num", "variable NPROC_PER_NODE",
    "variable GPUS_PER_NODE", "variable NPUS_PER_NODE", "--gpus-per-node", "--num-gpus", "--ntasks-per-node",
    "variable SLURM_GPUS_PER_NODE",
    "variable SLURM_NTASKS_PER_NODE", "variable N_GPUS_PER_NODE", "variable NUM_GPUS", "variable NGPU", "variable NGPUS",
)  # fmt: skip
NODES = (
    "--nnodes", "--actor-num-nodes", "--nodes", "--num-nodes", "variable NNODES", "variable NUM_NODES", "variable SLURM_NNODES",
    "variable SLURM_JOB_NUM_NODES", "default --nnodes",
)  # fmt: skip
ALL = ("--worker-num", "--num-processes", "--gpus", "--ntasks", "variable WORLD_SIZE", "variable SLURM_NTASKS")
"""Names of the number of all chips."""


def count_chips(options: Options, chips: int | None) -> tuple[int, int]:
    """Return the processes of a node (0 where nothing says) and all chips; ``chips`` is what the user says.

    Raises FormatError where nothing says how many there are.
    """
    node, nodes = first_count(options, *PER_NODE), first_count(options, *NODES)
    if not node:
        node = _visible(options)
    if chips is not None:
        return node, chips
    if node and nodes:
        return node, node * nodes
    if node and options.stack in ("swift", "swift-megatron", "llama-factory") and not options.has("variable NNODES"):
        return node, node
    if whole := first_count(options, *ALL):
        return node, whole
    missing = "--nproc-per-node" if not node else "--nnodes"
    raise FormatError(
        f"{options.where}: the option {missing} is missing or hangs on the environment, so the number of chips is unknown;"
        " give it with --chips N"
    )


def _visible(options: Options) -> int:
    for name in ("variable CUDA_VISIBLE_DEVICES", "variable ASCEND_RT_VISIBLE_DEVICES", "variable HIP_VISIBLE_DEVICES"):
        text = options.text(name)
        if text and re.fullmatch(r"\d+(,\d+)*", text):
            return text.count(",") + 1
    return 0


def first_count(options: Options, *names: str) -> int:
    """Return the first of some numbers that a launch states, 0 for none."""
    for name in names:
        text = (options.texts(name) or [""])[0]
        if text.isascii() and text.isdigit() and int(text[:9]) > 0:
            return int(text[:9])
    return 0
