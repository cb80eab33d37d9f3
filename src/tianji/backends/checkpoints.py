"""Which checkpoints of a run are complete: what a controller asks without importing torch."""

from __future__ import annotations

import re
from pathlib import Path

COMMIT_MARK = ".metadata"
"""The file that is written last, by one rank, when all parts are there."""
_NAME = re.compile(r"step-(\d+)")


def step_folder(folder: Path, index: int) -> Path:
    """Return the place of the checkpoint after step ``index``."""
    return folder / f"step-{index:09d}"


def step_of(path: Path) -> int | None:
    """Return the step after which a complete checkpoint was taken; None for anything else."""
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match and (path / COMMIT_MARK).is_file() else None


def list_complete(folder: Path) -> list[Path]:
    """Return the complete checkpoints in a folder, oldest first."""
    found = [path for path in folder.glob("step-*") if step_of(path) is not None]
    return sorted(found, key=lambda path: step_of(path) or 0)


def find_newest(folder: Path) -> Path | None:
    """Return the newest complete checkpoint in a folder, or None."""
    return next(reversed(list_complete(folder)), None)
