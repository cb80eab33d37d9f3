"""What a run writes as it goes: one JSON object a line, appended and flushed, so that a crash loses at most the last line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tianji.errors import FormatError, RunError
from tianji.input_files import parse_object, read_text
from tianji.parallel.records import shown
from tianji.units import GB

END_REQUEST = "end"
"""A file beside the journals that asks all ranks to save after the step they are in, and to end."""
LONGEST_WORDS = 400
LARGEST_JOURNAL = 1 * GB
"""Some five million steps."""
NUMBERS = {"step": ("index", "at", "seconds")}
"""Keys of an event that readers count with; losses may be NaN."""


def last_words(log: Path) -> str:
    """Return the last line of a rank's log that says something; of a traceback that is the error."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(log.stat().st_size - LONGEST_WORDS * 8, 0))
        lines = file.read().decode("utf-8", "replace").split("\n")
        return next((line.strip()[:LONGEST_WORDS] for line in reversed(lines) if line.strip()), "")
    return ""


class Journal:
    """An append-only file of one rank."""

    def __init__(self, folder: Path, rank: int) -> None:
        self.path = folder / f"rank-{rank:05d}.jsonl"
        self._file = self.path.open("a", encoding="utf-8")

    def write(self, event: str, **facts: object) -> None:
        """Append one event.

        Raises RunError when the disk is full or the file cannot be written.
        """
        try:
            self._file.write(json.dumps({"event": event, **facts}) + "\n")
            self._file.flush()
        except OSError as error:
            raise RunError(
                f"{self.path}: cannot be written ({error.strerror}); free some space and run again"
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_journal(path: Path) -> list[Mapping[str, Any]]:
    """Return the events of one rank; a last line that a crash cut short is left out.

    Raises FormatError for a file that cannot be read, and for any other line that is no event or holds another kind of value
    than the events of Tianji do.
    """
    return list(_whole_lines(read_text(path, "the journal of a rank", LARGEST_JOURNAL), path))


def _whole_lines(text: str, path: Path) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if not line.endswith("\n"):
            continue
        where = f"{path}, line {number}"
        entry = parse_object(line, where, "an event of a rank", constants=True)
        if not isinstance(entry.get("event"), str):
            raise FormatError(f"{where}: expected an event of a rank, with the key event, got {line[:80]!r}")
        for key in NUMBERS.get(str(entry["event"]), ()):
            value = entry.get(key)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise FormatError(f"{where}.{key}: expected a number, got {shown(value)}")
        yield entry
