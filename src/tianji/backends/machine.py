"""Whether a plan fits the machine it is to run on, said before a process starts."""

from __future__ import annotations

import os
import shutil
import socket
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from tianji.backends.checkpoints import find_newest, is_unchanged, step_of
from tianji.backends.first_weights import check_first_weights, open_first_weights
from tianji.backends.options import RunOptions
from tianji.errors import InputError, MissingExtraError, RunError
from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid
from tianji.parallel.plan import Plan
from tianji.perf.pipeline_stages import every_stage
from tianji.perf.step import estimate_memory
from tianji.units import KIB, MB, Bytes, show

PROCESS = 250 * MB
"""Memory of one worker before it holds a model: Python and torch's libraries, as far as processes do not share them."""
LEAST_DISK = 50 * MB


def check_extra() -> None:
    """Raise MissingExtraError unless torch is installed."""
    if find_spec("torch") is None:
        raise MissingExtraError("run", "PyTorch")


def check_machine(plan: Plan, options: RunOptions) -> None:
    """Raise RunError, with what is there and what is needed, unless the machine holds all ranks of a plan.

    Ranks need an accelerator each, or on a machine without one share the memory of the host.
    """
    from tianji.backends.trainer.accelerator import count_chips

    chips = 0 if options.device == "cpu" else count_chips()
    if chips and plan.strategy.chips > chips:
        raise RunError(
            f"the plan needs {plan.strategy.chips:,} chips, but this machine has {chips}; plan for --chips {chips},"
            " or take --device cpu to run it on processes"
        )
    need, have = memory_of_ranks(plan), available_memory()
    if not chips and need > have:
        raise RunError(
            f"the plan needs about {show(need, 'bytes')} for its {plan.strategy.chips:,} ranks together, but this machine has"
            f" {show(have, 'bytes')} free; take a smaller model, or fewer chips"
        )


def memory_of_ranks(plan: Plan) -> Bytes:
    """Return the bytes that all ranks of a plan need together, processes included."""
    strategy = plan.strategy
    stages = estimate_memory(plan.job, Constants(), Grid.of(strategy), every_stage(plan.job.model, strategy))
    ranks = strategy.chips // strategy.pp
    state = sum(float(np.sum(part)) for parts in stages for part in parts.values())
    return state * ranks + PROCESS * strategy.chips


def available_memory() -> Bytes:
    """Return the bytes of the host's memory that are free for a new job."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * KIB for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def make_folder(path: Path) -> None:
    """Make the folder of a run, or raise RunError: it cannot be made, holds another run, or its disk is full."""
    if (path / "result.json").exists() or any(path.glob("rank-*.jsonl")):
        raise RunError(f"{path}: holds another run; name a new folder with --out, or remove this one")
    try:
        # Before anything is made: a full disk gets no empty folder.
        free = shutil.disk_usage(next(p for p in (path, *path.absolute().parents) if p.exists())).free
        if free < LEAST_DISK:
            raise RunError(
                f"{path}: only {show(free, 'bytes')} are free on its disk; at least {show(LEAST_DISK, 'bytes')} are needed"
            )
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{path}: cannot be made ({error.strerror}); name another folder with --out") from None


def check_inputs(plan: Plan, options: RunOptions) -> None:
    """Raise FormatError or RunError, before a process starts, unless all files that a run starts from can be read."""
    from tianji.backends.trainer.tokens import Corpus

    if options.data:
        Corpus(Path(options.data), plan.job.seq_len, plan.job.model.vocab_size)
    if options.weights:
        model = plan.job.model
        if model.blocks or model.moe or model.mla or model.num_norms != 2:
            raise InputError(
                f"{options.weights}: first weights come from a file for dense models; {model.name} is none"
            )
        check_first_weights(open_first_weights(Path(options.weights)), model, options.weights)
    if options.resume_from:
        check_checkpoint(Path(options.resume_from).resolve(), options.steps, by_content=True)


def check_checkpoint(path: Path, steps: int, *, by_content: bool = False) -> None:
    """Raise RunError unless a complete checkpoint stands at a path, and leaves steps to do.

    ``by_content`` reads all of it and compares the digests of when it was written.
    """
    step = step_of(path)
    if step is None:
        newest = find_newest(path) or find_newest(path / "checkpoints")
        hint = f"; the newest in there is {newest}" if newest else ""
        raise RunError(
            f"{path}: not a complete checkpoint: expected a folder step-N with .metadata in it and all files whole{hint}"
        )
    if by_content and not is_unchanged(path):
        raise RunError(f"{path}: damaged: a file of it is not what was written; take the checkpoint before it")
    if step + 1 >= steps:
        raise RunError(f"{path}: has {step + 1} steps behind it already; ask for more than that with --steps")


def check_port(port: int) -> None:
    """Raise RunError when another process holds a port; 0 stands for any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise RunError(f"port {port} cannot be had ({reason}); leave --port out to take a free one") from None
