"""Which checkpoints of a run are complete: what a controller asks without importing torch."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tianji.errors import FormatError, InputError
from tianji.input_files import read_object
from tianji.parallel.plan_file import write_text
from tianji.parallel.records import decode, encode
from tianji.units import MB

COMMIT_MARK = ".metadata"
"""The file that is written last, by one rank, when all parts are there."""
SEAL = "files.json"
"""Bytes and SHA-256 of each file of a checkpoint, written after the mark: what was cut or changed since is known by it."""
DAMAGED = ".damaged"
"""End of the name of a checkpoint whose content is not what was written; it counts no more, and a person may look at it."""
_NAME = re.compile(r"step-(\d{1,18})")
_BOUNDS = {"SealedFile": (0, 2**62)}
LARGEST_SEAL = 50 * MB


def step_folder(folder: Path, index: int) -> Path:
    """Return the place of the checkpoint after step ``index``."""
    return folder / f"step-{index:09d}"


def step_of(path: Path) -> int | None:
    """Return the step after which a complete checkpoint was taken; None for anything else."""
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match and (path / COMMIT_MARK).is_file() and is_whole(path) else None


@dataclass(frozen=True, slots=True)
class SealedFile:
    """One file of a checkpoint, as it was written."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Seal:
    """The files of a checkpoint by name."""

    files: Mapping[str, SealedFile]


def write_seal(path: Path) -> None:
    """Write down the length and the digest of each file of a checkpoint that was just completed.

    Without room, or without the folder, it has none.
    """
    with suppress(InputError, OSError):
        files = {file.name: SealedFile(file.stat().st_size, _digest(file)) for file in sorted(path.iterdir())}
        write_text(path / SEAL, json.dumps(encode(Seal(files))))


def is_whole(path: Path) -> bool:
    """Return whether all files of a completed checkpoint are as long as they were; one without a seal is taken at its word."""
    seal = _read_seal(path)
    if isinstance(seal, Seal):
        return all(_length(path / name) == file.bytes for name, file in seal.files.items())
    return seal is None


def is_unchanged(path: Path) -> bool:
    """Return whether a completed checkpoint holds what was written, by its digests; this reads all of it."""
    seal = _read_seal(path)
    if isinstance(seal, Seal):
        with suppress(OSError):
            return is_whole(path) and all(_digest(path / name) == file.sha256 for name, file in seal.files.items())
        return False
    return seal is None


def set_aside(path: Path) -> None:
    """Take a damaged checkpoint out of those that count."""
    with suppress(OSError):
        path.rename(path.with_name(path.name + DAMAGED))
    if step_of(path) is not None:  # it could not be renamed
        (path / COMMIT_MARK).unlink(missing_ok=True)


def _read_seal(path: Path) -> Seal | FormatError | None:
    if not (path / SEAL).exists():
        return None
    try:
        seal = decode(
            Seal, read_object(path / SEAL, "the digests of a checkpoint's files", LARGEST_SEAL), SEAL, _BOUNDS
        )
    except FormatError as error:
        return error
    outside = [name for name in seal.files if name in ("", ".", "..") or "/" in name or "\0" in name]
    return FormatError(f"{path / SEAL}: {outside[0]!r} is no file of it") if outside else seal


def _length(file: Path) -> int | None:
    try:
        return file.stat().st_size if file.is_file() else None
    except OSError:
        return None


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def drop(path: Path) -> None:
    """Delete a checkpoint, its mark first: whoever is killed meanwhile leaves none that looks complete."""
    (path / COMMIT_MARK).unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)


def list_complete(folder: Path) -> list[Path]:
    """Return the complete checkpoints in a folder, oldest first."""
    complete = [path for path in folder.glob("step-*") if step_of(path) is not None]
    return sorted(complete, key=lambda path: step_of(path) or 0)


def find_newest(folder: Path) -> Path | None:
    """Return the newest complete checkpoint in a folder, or None."""
    return next(reversed(list_complete(folder)), None)
