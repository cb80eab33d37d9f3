"""All targets by name, and the way from a plan to files on disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tianji.errors import InputError, UnknownNameError
from tianji.export.arguments import Artefact, Bundle, Limits
from tianji.export.deepspeed import write_deepspeed
from tianji.export.jobset import write_jobset
from tianji.export.megatron import write_megatron, write_mindspeed
from tianji.export.mindformers import write_mindformers
from tianji.export.nemo import write_nemo
from tianji.export.rayjob import write_rayjob
from tianji.export.slurm import write_slurm
from tianji.export.torchrun import write_torchrun
from tianji.export.torchtitan import write_torchtitan
from tianji.export.volcano import write_volcano
from tianji.parallel.legality import check
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import write_text

Writer = Callable[[Plan, Limits], list[Artefact]]

TARGETS: dict[str, tuple[Writer, str]] = {
    "megatron": (write_megatron, "launch script for Megatron-LM (NVIDIA)"),
    "mindspeed": (write_mindspeed, "launch script for MindSpeed-LLM (Ascend)"),
    "torchtitan": (write_torchtitan, "TOML file and launcher for torchtitan 0.2"),
    "nemo": (write_nemo, "recipe for NeMo's Megatron Bridge, and its launcher"),
    "mindformers": (write_mindformers, "YAML file and launcher for MindSpore Transformers"),
    "deepspeed": (write_deepspeed, "JSON file and launcher for DeepSpeed"),
    "torchrun": (write_torchrun, "launcher for any training script"),
    "slurm": (write_slurm, "sbatch script with block topology, and what it starts"),
    "volcano": (write_volcano, "MindCluster AscendJob (Ascend) or Volcano Job"),
    "jobset": (write_jobset, "JobSet with Kueue's topology"),
    "rayjob": (write_rayjob, "RayJob that starts `tianji run`"),
}
"""For each target the function that writes its files, and what they are."""


def render_plan(plan: Plan, target: str) -> Bundle:
    """Return the files of a plan for one target.

    Raises UnknownNameError for an unknown target, IllegalStrategyError for a plan that breaks a rule, and ExportError, with
    every reason, where the target would run another plan.
    """
    if target not in TARGETS:
        raise UnknownNameError("export target", target, TARGETS)
    check(plan.strategy, plan.job, plan.pool)
    limits = Limits(target)
    artefacts = TARGETS[target][0](plan, limits)
    limits.check()
    return Bundle(target, tuple(artefacts), tuple(limits.notes))


def write_bundle(bundle: Bundle, folder: str | os.PathLike[str]) -> list[Path]:
    """Write the files of a bundle into a folder, made where it is missing, and return their paths: all of them or none.

    Raises InputError when the folder cannot be made or a file cannot be written.
    """
    where = Path(folder)
    is_new = not where.exists()
    try:
        where.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".export.", dir=where))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: cannot be made ({getattr(error, 'strerror', None) or error})") from None
    paths = [where / artefact.name for artefact in bundle.artefacts]
    try:
        for artefact in bundle.artefacts:
            path = draft / artefact.name
            write_text(path, artefact.text)
            if artefact.is_executable:
                path.chmod(path.stat().st_mode | (path.stat().st_mode & 0o444) >> 2)
        for path in paths:
            os.replace(draft / path.name, path)
    except (InputError, OSError) as error:
        reason = str(error).partition(" cannot be written ")[2] or f"({error})"
        shutil.rmtree(draft, ignore_errors=True)
        if is_new:
            where.rmdir()
        raise InputError(f"{folder}: the files cannot be written {reason}; none was") from None
    draft.rmdir()
    return paths
