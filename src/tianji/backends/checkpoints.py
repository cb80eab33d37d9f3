"""Which checkpoints of a run are complete: what a controller asks without importing torch."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import suppress
from pathlib import Path

from tianji.errors import InputError
from tianji.parallel.plan_file import write_text

COMMIT_MARK = ".metadata"
"""The file that is written last, by one rank, when all parts are there."""
SIZES = "sizes.json"
"""Bytes of each file of a checkpoint by name, written after the mark: a file that was cut short since then is known by it."""
_NAME = re.compile(r"step-(\d+)")


def step_folder(folder: Path, index: int) -> Path:
    """Return the place of the checkpoint after step ``index``."""
    return folder / f"step-{index:09d}"


def step_of(path: Path) -> int | None:
    """Return the step after which a complete checkpoint was taken; None for anything else."""
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match and (path / COMMIT_MARK).is_file() and is_whole(path) else None


def write_sizes(path: Path) -> None:
    """Write down how large the files of a checkpoint are that was just completed; without room it has none."""
    sizes = {file.name: file.stat().st_size for file in sorted(path.iterdir())}
    with suppress(InputError):
        write_text(path / SIZES, json.dumps(sizes))


def is_whole(path: Path) -> bool:
    """Return whether all files of a completed checkpoint are as long as they were; one without sizes is taken at its word."""
    try:
        sizes = json.loads((path / SIZES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    return all((path / name).is_file() and (path / name).stat().st_size == size for name, size in sizes.items())


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
