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
from tianji.backends import RunOptions
from tianji.errors import FormatError
from tianji.formatting import count_noun
from tianji.input_files import LARGEST_FILE, read_bytes
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
from tianji.migration.mindspore import offer_twin
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
from tianji.migration.routes import Route
from tianji.migration.scan import find_target
from tianji.migration.twin import Twin, TwinRun, TwinSizes, make_twin, run_twin
from tianji.migration.versions.environment import Misfit
from tianji.parallel.plan_file import write_text
from tianji.report.documents.migration import scan_document, twin_offer_document, versions_document
from tianji.report.documents.move_speed import speed_document
from tianji.report.documents.parity import dump_document, parity_document
from tianji.report.documents.twin import twin_document

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
    twin: File | None = None,
    weights: File | None = None,
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
    * ``twin`` is a new folder: with ``to="mindspore"`` the model is trained there by
      PyTorch and by MindSpore, from ``weights`` (default: those beside its
      config.json).

    Raises FormatError for what is no folder, UnknownNameError for no such target.
    """
    is_mindspore = to.lower() == MINDSPORE
    if patch is not None and is_mindspore:
        raise FormatError("--patch writes a move to torch_npu; leave it out for --to mindspore, which needs other code")
    if patch is None and patch_style != "auto":
        raise FormatError("--patch-style says how a patch is written; give the file for it with --patch")
    if twin is not None and not is_mindspore:
        raise FormatError("--twin makes a model's twin under MindSpore; give it with --to mindspore")
    if weights is not None and twin is None:
        raise FormatError("--weights are those of the twin; give the folder for it with --twin")
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
    if speed is None and chips is not None:
        raise FormatError("--chips are those that the model is priced on; no model is known: give it with --model")
    if speed is None and twin is not None:
        raise FormatError("--twin: no config.json in the repository says the model; give it with --model")
    offered = None
    if is_mindspore and speed is not None:
        source = (
            os.fspath(model) if isinstance(model, str | os.PathLike) else str(Path(move.scan.root) / speed.found_in)
        )
        offer = offer_twin(speed.model, source)
        if twin is not None and not offer.runs:
            raise FormatError(f"--twin: {offer.reason}")
        made = (
            None
            if twin is None
            else make_and_run(source, twin, weights or "", RunOptions(steps=20, learning_rate=1e-4))
        )
        offered = twin_offer_document(offer, None if made is None else twin_document(*made))
    files = f"{count_noun(len(move.effort.files_to_change), 'file')} to change, class {move.effort.effort_class.value}"
    outcome = "not judged" if move.effort.route is Route.UNREAD else files
    summary = f"move of {move.scan.root} to {to}: {outcome}"
    make_document = partial(scan_document, move, None if speed is None else speed_document(speed), offered)
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
    words = "a set that fits" if fitting.fit else count_noun(len(misfits), "misfit") if misfits else "no set fits"
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


def twin(
    model: File,
    *,
    out: File,
    weights: File = "",
    steps: int = 20,
    batch: int = 8,
    seq: int = 128,
    layers: int = 0,
    learning_rate: float = 1e-4,
    data: File = "",
    repeats: int = 1,
    seed: int = 0,
    no_run: bool = False,
) -> Answer[Twin]:
    """Train a model by PyTorch and by MindSpore from the same weights, and judge the runs.

    ``model`` is a config.json, a folder that holds one, or a name of the catalog. The
    plan, the weights and the runs go to the new folder ``out``.

    * ``weights`` are safetensors, a state dict or npz; by default those beside the
      config, or drawn from the ``seed``. ``layers`` takes the first so many (0: all).
    * ``steps`` of each run have ``batch`` sequences of ``seq`` tokens; ``repeats``
      further runs by PyTorch say what its noise is.
    * ``no_run=True`` writes and runs nothing.

    Raises RunError, with what to install, where MindSpore is missing.
    """
    if repeats < 0:
        raise FormatError(f"--repeats: expected at least 0, got {repeats}")
    if steps < 2:
        raise FormatError(f"--steps: expected at least 2, which parity compares, got {steps}")
    options = RunOptions(steps=steps, warmup=0, data=str(data), learning_rate=learning_rate, seed=seed)
    sizes = TwinSizes(seq, batch, layers, seed)
    made, ran = make_and_run(model, out, weights, options, sizes, repeats, no_run=no_run)
    outcome = "written, not run" if ran is None else ran.parity.outcome.value
    return Answer(made, f"twin of {made.plan.job.model.name}: {outcome}", partial(twin_document, made, ran))


def make_and_run(
    source: File, out: File, weights: File, options: RunOptions, sizes: TwinSizes | None = None, repeats: int = 1, *,
    no_run: bool = False,
) -> tuple[Twin, TwinRun | None]:  # fmt: skip
    """Return a twin that is written, and its runs unless it is not to be run."""
    made = make_twin(os.fspath(source), Path(out), os.fspath(weights), sizes)
    return made, None if no_run else run_twin(made, options, repeats)


# --- files ----------------------------------------------------------------------------------------------------
def _several(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _read_text(path: File) -> str:
    if path == "-":
        return sys.stdin.read(int(LARGEST_FILE))
    return read_bytes(path, "what `pip list` or another tool printed, for --environment").decode("utf-8", "replace")


def _describe_patch(patch: Patch) -> list[str]:
    """Return what a patch holds, and what it leaves to a person."""
    notes = [
        f"{count_noun(len(patch.files), 'file')}, {count_noun(patch.num_places, 'place')}, style {patch.style}: {patch.reason}."
    ]
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
        notes.append(_write("dockerfile", dockerfile, write_dockerfile(chosen, target, name, packages=packages)))
    return notes


def _write(what: str, path: File, text: str) -> str:
    write_text(path, text, "surrogateescape")  # A patch of a file that is not UTF-8 holds its bytes.
    return f"{what}: {os.fspath(path)}"
