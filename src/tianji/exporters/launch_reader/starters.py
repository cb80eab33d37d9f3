"""What the launcher before a program says of nodes and processes: torchrun, srun, mpirun, deepspeed, accelerate, msrun."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tianji.exporters.launch_reader.options import group_options

STARTERS = frozenset(("--nproc-per-node", "--nnodes", "--nodes", "--ntasks", "--ntasks-per-node", "--gpus-per-node", "--gpus",
                      "--num-processes", "--num-machines", "--num-gpus", "--num-nodes", "--config-file", "--hostfile",
                      "--actor-num-nodes", "--actor-num-gpus-per-node", "--worker-num", "--local-worker-num"))  # fmt: skip
_SHORT = {
    "srun": {"-N": "--nodes", "-n": "--ntasks", "-G": "--gpus"},
    "mpi": {"-np": "--num-processes", "--np": "--num-processes", "-n": "--num-processes", "--n": "--num-processes", "-c":
            "--num-processes", "-N": "--nproc-per-node", "-npernode": "--nproc-per-node", "--npernode": "--nproc-per-node",
            "-ppn": "--nproc-per-node", "--ppn": "--nproc-per-node", "-perhost": "--nproc-per-node"},
}  # fmt: skip
"""Short names of a launcher's options."""
_MPI = frozenset({"mpirun", "mpiexec", "mpiexec.hydra", "horovodrun", "orterun", "prun"})
_ELASTIC = re.compile(r"(^|/)torchrun$|^torch\.distributed\.(run|launch)$")
_NODES = ("--nnodes", "--nodes", "--num-nodes", "--ntasks", "--num-machines", "--num-processes")


def read_starter(before: Sequence[str], directives: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the options of the launchers before a program and of a script's ``#SBATCH`` lines.

    torchrun starts on one node where it is told of no more.
    """
    values = {k: v[:1] for k, v in group_options(before).items() if k in STARTERS}
    short: dict[str, str] = {}
    for name, value in zip(before, [*before[1:], ""], strict=False):
        launcher = name.rsplit("/", 1)[-1]
        short = _SHORT["srun"] if launcher == "srun" else _SHORT["mpi"] if launcher in _MPI else short
        glued = re.fullmatch(r"(-[NnG])(\d+)", name)
        if glued and glued[1] in short:
            values[short[glued[1]]] = [glued[2]]
        elif name in short and value.isdigit():
            values[short[name]] = [value]
        elif name == "--map-by" and (each := re.match(r"ppr:(\d+):node", value)):
            values["--nproc-per-node"] = [each[1]]
        elif name in ("-H", "--host", "-host") and re.fullmatch(r"[^,:]+:\d+(,[^,:]+:\d+)*", value):
            values.setdefault(
                "--num-processes", [str(sum(int(part.rpartition(":")[2][:9]) for part in value.split(",")))]
            )
    for name, value in directives.items():
        long = {"-N": "--nodes", "-n": "--ntasks", "-G": "--gpus"}.get(name, name)
        if long == "--gres":
            long, value = "--gpus-per-node", value.rpartition(":")[2]
        if long in STARTERS and value.split(":")[-1].isdigit():
            values.setdefault(long, [value.split(":")[-1]])
    is_alone = "--num-gpus" in values and not {"--num-nodes", "--hostfile"} & values.keys()  # deepspeed, of this host
    is_elastic = any(_ELASTIC.search(word) for word in before)
    if is_elastic and "--ntasks" in values and not any(name in values for name in _NODES[:3]):
        values["--nnodes"] = values["--ntasks"]  # srun starts one torchrun on each node
    if (is_elastic or is_alone) and not any(name in values for name in _NODES):
        values["default --nnodes"] = ["1"]
    return values
