"""All targets by name, and the way from a plan to files on disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from importlib import import_module
from pathlib import Path

from tianji.errors import InputError, UnknownNameError
from tianji.exporters.contract import FileBundle, Limits, Target
from tianji.exporters.formats.arguments import Artefact
from tianji.parallel.legality import check
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import write_text

MODULES = (
    "frameworks.megatron",
    "frameworks.mindspeed",
    "frameworks.torchtitan",
    "frameworks.nemo",
    "frameworks.mindformers",
    "frameworks.llama_factory",
    "frameworks.swift",
    "frameworks.megatron_swift",
    "frameworks.deepspeed",
    "frameworks.torchrun",
    "schedulers.slurm",
    "schedulers.volcano",
    "schedulers.jobset",
    "schedulers.rayjob",
)
"""The modules that hold a TARGET, one line each, in the order of the listing."""


def load_targets() -> dict[str, Target]:
    """Return the target of each module, by the name that ``--to`` takes."""
    targets: list[Target] = [import_module(f"tianji.exporters.{module}").TARGET for module in MODULES]
    return {target.name: target for target in targets}


TARGETS = load_targets()


def render_plan(plan: Plan, target: str, save_every: int = 0) -> FileBundle:
    """Return the files of a plan for one target, which save a checkpoint every so many steps (0: nobody worked it out).

    Raises UnknownNameError for an unknown target, IllegalStrategyError for a plan that breaks a rule, and ExportError, with
    every reason, where the target would run another plan.
    """
    if target not in TARGETS:
        raise UnknownNameError("export target", target, TARGETS)
    limits = Limits(target, save_every)
    artefacts = _write(plan, limits)
    return FileBundle(target, tuple(artefacts), tuple(limits.notes))


def is_exported(plan: Plan, target: str) -> bool:
    """Return whether :func:`render_plan` has files for a plan, in a fraction of its time where it has none."""
    try:
        _write(plan, Limits(target, asks_whether=True))
    except InputError:
        return False
    return True


def _write(plan: Plan, limits: Limits) -> list[Artefact]:
    check(plan.strategy, plan.job, plan.pool)
    TARGETS[limits.target].check_task(plan, limits)
    artefacts = TARGETS[limits.target].write(plan, limits)
    limits.check()
    return artefacts


def write_bundle(bundle: FileBundle, folder: str | os.PathLike[str]) -> list[Path]:
    """Write the files of a bundle into a folder, made where it is missing, and return their paths: all of them or none.

    Raises InputError when the folder cannot be made or a file cannot be written.
    """
    where = Path(folder)
    is_new = not os.path.exists(where)
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
