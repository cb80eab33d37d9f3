"""What tests of real processes ask: who is alive, who began whom, and is it so at last."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

GUARD = 600.0
"""Seconds after which a test that waits gives up: a guard against hanging, far beyond what a busy machine takes."""


def is_alive(pid: int) -> bool:
    """A process that has ended and is not yet collected by its parent is not alive."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """Return the processes below one, whatever their depth."""
    try:
        found = [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return found + [grandchild for child in found for grandchild in children(child)]


def wait_for(condition: Callable[[], Any], seconds: float = GUARD) -> Any:
    """Return the value of a condition when it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")
