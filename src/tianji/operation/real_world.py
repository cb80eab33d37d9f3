"""The clock and the store of a real operation."""

from __future__ import annotations

import time
from pathlib import Path

from tianji.backends.checkpoints import find_newest, is_unchanged, set_aside, step_of
from tianji.units import Seconds


class WallClock:
    """Seconds since it was made, after ``begun`` seconds of earlier operations."""

    def __init__(self, begun: Seconds = 0.0) -> None:
        self._offset = begun - time.monotonic()

    def now(self) -> Seconds:
        """Return the time."""
        return time.monotonic() + self._offset


class FolderStore:
    """The checkpoints in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def newest(self) -> int | None:
        """Return the step of the newest complete checkpoint, or None."""
        path = find_newest(self.folder)
        return None if path is None else step_of(path)

    def find_loadable(self) -> int | None:
        """Return the step of the newest complete checkpoint whose files have the digests of when they were written.

        It reads the checkpoint whole. Damaged ones are renamed, so that they are found by nobody.
        """
        damaged: set[Path] = set()
        while (path := find_newest(self.folder)) is not None and path not in damaged and not is_unchanged(path):
            damaged.add(path)
            set_aside(path)
        return None if path is None or path in damaged else step_of(path)
