"""Files that a launch script takes in: those beside it, and nothing else of the machine."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tianji.errors import FormatError
from tianji.units import MB, show

LARGEST_FILE = 1 * MB
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
    for folder in folders:
        file = Path(os.path.normpath(folder / tail))
        if any(file.is_relative_to(f) for f in folders) and _is_plain(file):
            return file
    return None


def _is_plain(file: Path) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError):
        return False


def read_text(file: Path, what: str = "a launch script") -> str:
    """Return the text of a file of moderate size.

    Raises FormatError for what is no file, too big, or no text.
    """
    try:
        if file.is_dir():
            raise FormatError(f"{file}: a folder; expected {what}")
        status = file.stat()
        if not file.is_file():
            raise FormatError(f"{file}: not a file; expected {what}")
        if status.st_size > LARGEST_FILE:
            raise FormatError(f"{file}: {show(status.st_size, 'bytes')} is too big for {what} ({show(LARGEST_FILE, 'bytes')})")
        with file.open("rb") as opened:
            return opened.read(int(LARGEST_FILE) + 1).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FormatError(f"{file}: cannot be read ({reason}); expected {what}") from None
