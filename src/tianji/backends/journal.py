"""What a run writes as it goes: one JSON object a line, appended and flushed, so that a crash loses at most the last line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tianji.errors import RunError


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
    """Return the events of one rank; a last line that a crash cut short is left out."""
    return list(_whole_lines(path.read_text(encoding="utf-8")))


def _whole_lines(text: str) -> Iterator[Mapping[str, Any]]:
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)
