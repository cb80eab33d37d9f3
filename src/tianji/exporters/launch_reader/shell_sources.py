"""Files that a launch script takes in: those beside it, and nothing else of the machine."""

from __future__ import annotations

import os
import re
from pathlib import Path

FARTHEST = 5
"""Folders above the script in which a file may lie that it takes in."""


def find_source(name: str, script: Path | None) -> Path | None:
    """Return the file that a name means: in the script's folder or below one of the folders above it; None for any other.

    What a name begins with and the script does not know (``${HOME}/a/b.sh``) is left out: ``a/b.sh`` is looked for.
    """
    if script is None or "\x00" in name:
        return None
    tail = re.split(r"\$\{[^}]*\}", name)[-1].lstrip("/") if "${" in name else name
    if not tail or len(tail) > 500:
        return None
    here = Path(os.path.abspath(script)).parent
    folders = [here, *list(here.parents)[:FARTHEST]]
    folders = [f for f in folders if len(f.parts) > 2] or [here]
    for name in _tails(tail):
        for folder in folders:
            file = Path(os.path.normpath(folder / name))
            if any(file.is_relative_to(f) for f in folders) and _is_plain(file):
                return file
    return None


def _tails(name: str) -> list[str]:
    """Return a name and, of one that begins at the root of another machine, its ends of two parts and more."""
    parts = [p for p in name.split("/") if p not in ("", ".")]
    if not name.startswith("/"):
        return [name]
    return [name, *("/".join(parts[i:]) for i in range(1, max(len(parts) - 1, 1)))][:12]


def _is_plain(file: Path) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError):
        return False
