"""``tianji migrate``: what a move of a training repository to Ascend meets, which versions fit, and whether it is right."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tianji.cli.migrate_parity import parity_command, twin_command
from tianji.cli.options import add_options
from tianji.cli.outputs import Outputs, output_options
from tianji.errors import FormatError, TianjiError

if TYPE_CHECKING:
    from tianji.migration import Move, VersionSet
    from tianji.migration.judging.packages import PackageVerdict
    from tianji.migration.mindspore import TwinOffer
    from tianji.migration.patching.patch import Patch
    from tianji.migration.speed import Speed
    from tianji.report.documents.twin import MoveTwinDocument
    from tianji.workload import Job


MOST_LEFT = 20
"""Places and files that a patch leaves, as many as stderr lists."""
_version_files = add_options(
    click.option("--constraints", metavar="FILE", help="Also write the versions as a constraints file for pip."),
    click.option("--dockerfile", metavar="FILE", help="Also write a Dockerfile that installs them."),
)


@click.group("migrate")
def migrate_command() -> None:
    r"""Say what a move of a training repository to Ascend takes, and prove that it is right.

    A repository is read and never run. Tables of what Ascend supports come with Tianji, with their sources and dates; a folder
    of your own in TIANJI_CATALOG may correct or extend them.

    \b
    Examples:
      tianji migrate scan my-repository
      tianji migrate versions --to atlas-900-a3-superpod --with vllm
      tianji migrate parity gpu.jsonl npu.jsonl
      tianji migrate twin my-model --out twin
    """


migrate_command.add_command(parity_command)
migrate_command.add_command(twin_command)


@migrate_command.command("scan")
@click.argument("repository")
@click.option(
    "--to",
    "target",
    default="atlas-900-a2",
    show_default=True,
    metavar="POOL|mindspore",
    help="Pool with Ascend chips to move to, or mindspore for the framework of that name.",
)
@click.option("--torch", "torch_version", metavar="VERSION", help="PyTorch on the target.  [default: the newest known]")
@click.option(
    "--entry",
    "entries",
    multiple=True,
    metavar="FILE",
    help="Python file of the repository to start from; may be given again.  [default: found by their names]",
)
@_version_files
@click.option("--patch", metavar="FILE", help="Also write the mechanical part of the move as a unified diff.")
@click.option(
    "--patch-style",
    default="auto",
    show_default=True,
    metavar="auto|neutral|import",
    help="Code that names no device, or an import that patches torch or Megatron as they load.",
)
@click.option(
    "--model",
    metavar="NAME|FILE",
    help="Model that is trained: of the catalog, or a config.json.  [default: one in the repository]",
)
@click.option("--present", metavar="POOL", help="Pool that trains it now, like 64xhgx-h100, to compare the speed with.")
@click.option(
    "--chips", metavar="N", help="Chips of the target.  [default: those of the present pool, or of the entry]"
)
@click.option(
    "--twin", "twin_folder", metavar="DIR", help="With --to mindspore: also make the model's twin there and run it."
)
@click.option(
    "--weights", metavar="FILE|DIR", help="Weights of the twin.  [default: those beside the config.json, or drawn]"
)
@output_options
def scan_command(
    repository: str, target: str, torch_version: str | None, entries: tuple[str, ...], constraints: str | None,
    dockerfile: str | None, patch: str | None, patch_style: str, model: str | None, present: str | None, chips: str | None,
    twin_folder: str | None, weights: str | None, outputs: Outputs,
) -> None:  # fmt: skip
    r"""Read a repository and say what a move to Ascend meets in it.

    Each finding has file, line, the symbol resolved through imports, what it means on the chip under the version of PyTorch,
    the answer, how mechanical it is, and its source. Files reached from the entry points stand first; tests, documents,
    other scripts and what a framework already handles stand apart.

    \b
    Examples:
      tianji migrate scan my-repository
      tianji migrate scan my-repository --to atlas-950-superpod --torch 2.10 --html move.html
      tianji migrate scan my-repository --entry train.py --json
      tianji migrate scan my-repository --constraints constraints.txt --dockerfile Dockerfile.npu
      tianji migrate scan my-repository --patch npu.patch && patch -d my-repository -p1 < npu.patch
      tianji migrate scan my-repository --to mindspore --twin twin --weights model.safetensors
    """
    from tianji.api.progress import show_progress
    from tianji.migration import Conflict, plan_move
    from tianji.migration.mindspore import offer_twin
    from tianji.report.documents.migration import scan_document, twin_offer_document
    from tianji.report.documents.move_speed import speed_document

    is_mindspore = target.lower() == "mindspore"
    if patch is not None and is_mindspore:
        raise FormatError("--patch writes a move to torch_npu; leave it out for --to mindspore, which needs other code")
    if twin_folder is not None and not is_mindspore:
        raise FormatError("--twin makes a model's twin under MindSpore; give it with --to mindspore")
    if weights is not None and twin_folder is None:
        raise FormatError("--weights are those of the twin; give the folder for it with --twin")
    with show_progress("Files read") as progress:
        move = plan_move(repository, target, torch_version, entries, progress)
    chosen = move.fallback if isinstance(move.versions, Conflict) else move.versions
    if chosen is not None:
        _write_versions(chosen, move.scan.target.key, constraints, dockerfile, move.scan.packages)
    if patch is not None:
        from tianji.migration.patching import write_patch

        written = write_patch(move.scan, move.effort, patch_style)
        _write_text(patch, written.diff, "--patch")
        _say_what_is_patched(written)
    speed = _estimate(move, target, model, present, chips)
    twin = None
    if is_mindspore and speed is not None:
        source = model or str(Path(move.scan.root) / speed.found_in)
        offer = offer_twin(speed.model, source)
        twin = twin_offer_document(offer, _make_twin(source, offer, twin_folder, weights))
    elif twin_folder is not None:
        raise FormatError("--twin: no config.json in the repository says the model; give it with --model")
    outputs.present(scan_document(move, None if speed is None else speed_document(speed), twin))


@migrate_command.command("versions")
@click.option(
    "--to", "target", default="atlas-900-a2", show_default=True, metavar="POOL", help="Pool with Ascend chips."
)
@click.option("--torch", "torch_version", metavar="VERSION", help="PyTorch that the set must have.")
@click.option(
    "--with",
    "components",
    multiple=True,
    metavar="NAME[=VERSION]",
    help="Component that must be in the set, like vllm=0.11.0, megatron_core or python=3.11; may be given again.",
)
@click.option(
    "--environment",
    multiple=True,
    metavar="FILE",
    help="Check what is installed: the output of pip freeze, of npu-smi info, CANN's version file; - is stdin.",
)
@_version_files
@output_options
def versions_command(
    target: str, torch_version: str | None, components: tuple[str, ...], environment: tuple[str, ...],
    constraints: str | None, dockerfile: str | None, outputs: Outputs,
) -> None:  # fmt: skip
    r"""Say which versions of driver, CANN, PyTorch, torch_npu and their companions fit together.

    \b
    Examples:
      tianji migrate versions
      tianji migrate versions --to atlas-950-superpod --torch 2.10 --with vllm
      tianji migrate versions --with megatron_core=0.12.1 --constraints constraints.txt
      tianji migrate versions --environment freeze.txt --environment npu-smi.txt
    """
    from tianji.migration import (
        Conflict,
        check_environment,
        find_versions,
        read_environment,
    )
    from tianji.migration.scan import find_target
    from tianji.report.documents.migration import versions_document

    if target.lower() == "mindspore":
        raise FormatError(
            "--to: expected a pool with Ascend chips; give --with mindspore for a set that holds MindSpore"
        )
    family = find_target(target).key
    pairs = [component.partition("=") for component in components]
    wanted = {name.strip().replace("-", "_"): version for name, mark, version in pairs if mark}
    needed = [name.strip().replace("-", "_") for name, mark, _ in pairs if not mark]
    if torch_version is not None:
        wanted["torch"] = torch_version
    answer = find_versions(family, wanted, needed)
    listing = read_environment("\n".join(map(_read_text, environment))) if environment else None
    misfits = check_environment(listing, family) if listing is not None else []
    if not isinstance(answer, Conflict):
        _write_versions(answer, family, constraints, dockerfile)
    outputs.present(versions_document(family, answer, listing, misfits))
    if isinstance(answer, Conflict) or misfits:
        sys.exit(1)


def _make_twin(source: str, offer: TwinOffer, folder: str | None, weights: str | None) -> MoveTwinDocument | None:
    """Return the twin that was asked for, made and run, or None."""
    if folder is None:
        return None
    if not offer.runs:
        raise FormatError(f"--twin: {offer.reason}")
    from tianji.backends import RunOptions
    from tianji.migration.twin import make_twin, run_twin
    from tianji.report.documents.twin import twin_document

    twin = make_twin(source, Path(folder), weights or "")
    ran = run_twin(twin, RunOptions(steps=20, learning_rate=1e-4), say=lambda text: click.echo(text, err=True))
    return twin_document(twin, ran)


def _estimate(move: Move, target: str, model: str | None, present: str | None, chips: str | None) -> Speed | None:
    """Return the speed on the target, or None where no model can be told; a model that was asked for must be priced."""
    from tianji.api.cases import read_cases
    from tianji.catalog import list_pools, load_calibration
    from tianji.migration.speed import estimate_speed, find_model

    asked = model is not None or present is not None
    found = None if model is not None else find_model(move.scan)
    launched = None if model is not None or found is not None else _find_launched(move)
    if model is None and found is None and launched is None:
        if asked:
            raise FormatError(
                "no config.json and no launch script in the repository says the model; give it with --model"
            )
        return None
    place = "--model" if model else found[1] if found else launched[1] if launched else ""
    pool = target if target in list_pools() else "atlas-900-a2"
    count = chips or (present.partition("x")[0] if present and present.partition("x")[0].isdigit() else "")
    pools = (f"{count}x{pool}" if count else pool, *([present] if present else []))
    try:
        name = model or (str(Path(move.scan.root) / place) if found else "llama-3.1-8b")
        cases = read_cases(name, pools, batch=None, seq=None, tokens=None, precision="bf16")
        if launched is not None:
            cases = [(launched[0], where) for _, where in cases]
        (job, where), *rest = cases
        return estimate_speed(move.scan, job, place, where, load_calibration("default"), rest[0] if rest else None)
    except TianjiError as error:
        if asked:
            raise
        click.echo(f"speed: not estimated for {place} ({error})", err=True)
        return None


def _find_launched(move: Move) -> tuple[Job, str] | None:
    """Return the job of the first Megatron or MindSpeed launch script of a repository, with its path."""
    from tianji.exporters.launch_reader.launches import read_launch
    from tianji.migration.facts import FileKind

    scripts = [facts.path for facts in move.scan.files if facts.kind is FileKind.SHELL and "test" not in facts.path]
    for path in sorted(scripts, key=lambda path: (path.count("/"), path))[:50]:
        try:
            return read_launch(Path(move.scan.root) / path).job, path
        except (TianjiError, OSError):
            continue
    return None


def _read_text(path: str) -> str:
    try:
        if path == "-":
            return sys.stdin.read()
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise FormatError(f"--environment {path}: cannot be read ({error.strerror}); expected a text file") from None


def _say_what_is_patched(patch: Patch) -> None:
    """Say on stderr what a patch holds, and what it leaves to a person."""
    click.echo(f"{len(patch.files)} files, {patch.num_places} places, style {patch.style}: {patch.reason}.", err=True)
    left = [f"{path}: {reason}" for path, reason in patch.skipped]
    left += [f"{finding.path}:{finding.line}: {finding.symbol}" for finding in patch.by_hand]
    if left:
        more = f"\n  and {len(left) - MOST_LEFT:,} more" if len(left) > MOST_LEFT else ""
        click.echo("left to be changed by hand:\n  " + "\n  ".join(left[:MOST_LEFT]) + more, err=True)


def _write_versions(
    chosen: VersionSet, target: str, constraints: str | None, dockerfile: str | None,
    packages: Sequence[PackageVerdict] = (),
) -> None:  # fmt: skip
    """Write the files that were asked for; the Dockerfile copies the constraints written beside it."""
    from tianji.migration import write_constraints, write_dockerfile

    if constraints is not None:
        _write_text(constraints, write_constraints(chosen, packages), "--constraints")
    if dockerfile is not None:
        name = Path(constraints or "constraints.txt").name
        _write_text(dockerfile, write_dockerfile(chosen, target, name), "--dockerfile")


def _write_text(path: str, text: str, option: str) -> None:
    from tianji.parallel.plan_file import write_text

    write_text(path, text)
    click.echo(f"{option.removeprefix('--')}: {path}", err=True)
