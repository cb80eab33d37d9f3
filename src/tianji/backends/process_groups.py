"""Process groups: ended as a whole, and known to be gone."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def end_group(group: int) -> None:
    """Kill all processes of a group, and return when none of them can do anything any more."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    while _is_alive(group):
        time.sleep(0.005)


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    # What is dead but not yet waited for by its parent still counts for the kernel, and may do so for ever.
    return not _PROC.exists() or any(_lives_in(entry, group) for entry in _PROC.iterdir() if entry.name.isdigit())


def _lives_in(entry: Path, group: int) -> bool:
    try:
        state, _, its_group = (
            (entry / "stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()[:3]
        )
    except OSError:
        return False
    return state != "Z" and int(its_group) == group
