"""``tianji.migrate``: what a move of a training repository to Ascend meets, which versions fit, and whether it is right."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tianji.api.answer import Answer
from tianji.api.cases import SizedPool
from tianji.api.move_speed import find_speed
from tianji.api.progress import show_progress
from tianji.api.quantities import Count
from tianji.api.requests import File, ModelLike
from tianji.errors import FormatError
from tianji.migration import (
    Conflict,
    Move,
    VersionSet,
    check_environment,
    find_versions,
    plan_move,
    read_environment,
    write_constraints,
    write_dockerfile,
)
from tianji.migration.judging.packages import PackageVerdict
from tianji.migration.mindspore import describe_twin
from tianji.migration.parity import (
    DumpComparison,
    Parity,
    compare_dumps,
    is_dump,
    judge_parity,
    load_standards,
    read_dump,
    read_run,
)
from tianji.migration.scan import find_target
from tianji.migration.versions.environment import Misfit
from tianji.parallel.plan_file import write_text
from tianji.report.documents.migration import scan_document, versions_document
from tianji.report.documents.move_speed import speed_document
from tianji.report.documents.parity import dump_document, parity_document

if TYPE_CHECKING:
    from tianji.migration.patching.patch import Patch

MINDSPORE = "mindspore"
MOST_LEFT = 20
"""Places and files that a patch leaves, as many as a note lists."""


@dataclass(frozen=True, slots=True)
class FittingVersions:
    """The versions that fit together, and what of an installed environment does not."""

    chosen: VersionSet | Conflict
    misfits: tuple[Misfit, ...] = ()

    @property
    def fit(self) -> bool:
        """There is such a set, and nothing that is installed contradicts it."""
        return isinstance(self.chosen, VersionSet) and not self.misfits


def scan(
    repository: File,
    *,
    to: str = "atlas-900-a2",
    torch: str | None = None,
    entry: str | Iterable[str] = (),
    constraints: File | None = None,
    dockerfile: File | None = None,
    patch: File | None = None,
    patch_style: str = "auto",
    model: ModelLike | None = None,
    present: SizedPool | None = None,
    chips: Count | None = None,
) -> Answer[Move]:
    """Read a repository, without running it, and say what a move to Ascend meets.

    ``to`` is a pool with Ascend chips, or ``mindspore``; ``torch`` the version of
    PyTorch there, the newest known by default. ``entry`` names the Python files to
    start from; by default they are found by their names.

    * ``constraints="c.txt"`` and ``dockerfile="Dockerfile"`` also write the versions
      that fit; ``patch="npu.patch"`` the mechanical part of the move as a diff, in
      ``patch_style`` auto, neutral or import.
    * ``model`` is what is trained (default: a config.json or launch script of the
      repository); ``present="64xhgx-h100"`` compares its speed; ``chips`` of the
      target.

    Raises FormatError for what is no folder, UnknownNameError for no such target.
    """
    if patch is not None and to.lower() == MINDSPORE:
        raise FormatError("--patch writes a move to torch_npu; leave it out for --to mindspore, which needs other code")
    with show_progress("Files read") as progress:
        move = plan_move(repository, to, torch, _several(entry), progress)
    chosen = move.fallback if isinstance(move.versions, Conflict) else move.versions
    notes: list[str] = []
    if chosen is not None:
        notes += _write_versions(chosen, move.scan.target.key, constraints, dockerfile, move.scan.packages)
    if patch is not None:
        from tianji.migration.patching import write_patch  # reads code with a library that takes a second to load

        written = write_patch(move.scan, move.effort, patch_style)
        notes += [_write("patch", patch, written.diff), *_describe_patch(written)]
    speed, why = find_speed(move, to, model, present, chips)
    twin = (
        describe_twin(speed.model, str(model or speed.found_in))
        if speed is not None and move.mindspore is not None
        else None
    )
    summary = (
        f"move of {move.scan.root} to {to}: {len(move.effort.files_to_change):,} files to change,"
        f" class {move.effort.effort_class.value}"
    )
    make_document = partial(scan_document, move, None if speed is None else speed_document(speed), twin)
    return Answer(move, summary, make_document, notes=(*notes, *([why] if why else ())))


def versions(
    *,
    to: str = "atlas-900-a2",
    torch: str | None = None,
    with_: str | Iterable[str] = (),
    environment: File | Iterable[File] = (),
    constraints: File | None = None,
    dockerfile: File | None = None,
) -> Answer[FittingVersions]:
    """Say which versions of driver, CANN, PyTorch, torch_npu and companions fit together.

    ``with_`` names components that must be in the set, with a version or without:
    ``["vllm=0.11.0", "megatron_core"]``. ``environment`` holds files with the output of
    pip freeze or npu-smi info, or CANN's version file; ``"-"`` is stdin. They are
    checked: ``answer.fit`` says whether all fits. ``constraints`` and ``dockerfile``
    also write the versions as files.

    Raises UnknownNameError for no such target or component, FormatError for a file that
    cannot be read.
    """
    if to.lower() == MINDSPORE:
        raise FormatError(
            "--to: expected a pool with Ascend chips; give --with mindspore for a set that holds MindSpore"
        )
    family = find_target(to).key
    pairs = [component.partition("=") for component in _several(with_)]
    wanted = {name.strip().replace("-", "_"): version for name, mark, version in pairs if mark}
    needed = [name.strip().replace("-", "_") for name, mark, _ in pairs if not mark]
    if torch is not None:
        wanted["torch"] = torch
    chosen = find_versions(family, wanted, needed)
    files = (environment,) if isinstance(environment, (str, os.PathLike)) else tuple(environment)
    installed = read_environment("\n".join(map(_read_text, files))) if files else None
    misfits = check_environment(installed, family) if installed is not None else []
    notes = () if isinstance(chosen, Conflict) else _write_versions(chosen, family, constraints, dockerfile)
    fitting = FittingVersions(chosen, tuple(misfits))
    words = "a set that fits" if fitting.fit else f"{len(misfits)} misfits" if misfits else "no set fits"
    make_document = partial(versions_document, family, chosen, installed, misfits)
    return Answer(fitting, f"versions for {to}: {words}", make_document, notes=tuple(notes))


def parity(
    reference: File,
    candidate: File,
    *,
    repeat: File | Iterable[File] = (),
    standard: str | Iterable[str] = (),
    precision: str = "",
    metric: str = "",
) -> Answer[Parity] | Answer[DumpComparison]:
    """Judge a run by a reference run: noise, named standards, and where they part.

    Takes results of ``tianji.run``, logs of Megatron, MindSpeed and MindFormers, JSON
    lines, CSV, JSON and TensorBoard's event files. Two dumps of msprobe give
    ``Answer[DumpComparison]``.

    ``repeat`` holds further runs of the reference, which say what its noise is.
    ``standard`` names what to judge by; ``"all"`` takes every one. ``precision`` is the
    number format of the less precise run, ``metric`` a task metric of both logs.
    ``answer.outcome`` is pass, beyond the noise, or fail.

    Raises FormatError for a file that is no such log.
    """
    if is_dump(reference) or is_dump(candidate):
        comparison = compare_dumps(read_dump(reference), read_dump(candidate))
        make_dump = partial(dump_document, os.fspath(reference), os.fspath(candidate), comparison)
        return Answer(comparison, f"parity of dumps: {comparison.num_red:,} calls are red", make_dump)
    others = (repeat,) if isinstance(repeat, (str, os.PathLike)) else tuple(repeat)
    asked = _several(standard)
    names = tuple(load_standards()) if "all" in asked else asked
    runs = [read_run(path) for path in (reference, candidate, *others)]
    judged = judge_parity(runs[0], runs[1], runs[2:], names, precision, metric)
    return Answer(
        judged, f"parity of {candidate} with {reference}: {judged.outcome.value}", partial(parity_document, judged)
    )


# --- files ----------------------------------------------------------------------------------------------------
def _several(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _read_text(path: File) -> str:
    try:
        if path == "-":
            return sys.stdin.read()
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise FormatError(f"--environment {path}: cannot be read ({error.strerror}); expected a text file") from None


def _describe_patch(patch: Patch) -> list[str]:
    """Return what a patch holds, and what it leaves to a person."""
    notes = [f"{len(patch.files)} files, {patch.num_places} places, style {patch.style}: {patch.reason}."]
    left = [f"{path}: {reason}" for path, reason in patch.skipped]
    left += [f"{finding.path}:{finding.line}: {finding.symbol}" for finding in patch.by_hand]
    if left:
        more = f"\n  and {len(left) - MOST_LEFT:,} more" if len(left) > MOST_LEFT else ""
        notes.append("left to be changed by hand:\n  " + "\n  ".join(left[:MOST_LEFT]) + more)
    return notes


def _write_versions(
    chosen: VersionSet, target: str, constraints: File | None, dockerfile: File | None,
    packages: Sequence[PackageVerdict] = (),
) -> list[str]:  # fmt: skip
    """Write the files that were asked for, and say where; the Dockerfile copies the constraints written beside it."""
    notes = []
    if constraints is not None:
        notes.append(_write("constraints", constraints, write_constraints(chosen, packages)))
    if dockerfile is not None:
        name = Path(constraints or "constraints.txt").name
        notes.append(_write("dockerfile", dockerfile, write_dockerfile(chosen, target, name)))
    return notes


def _write(what: str, path: File, text: str) -> str:
    write_text(path, text)
    return f"{what}: {os.fspath(path)}"
