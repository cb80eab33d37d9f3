"""What happened, one JSON object a line: appended and flushed at once, so that a crash loses at most the last line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from tianji.errors import FormatError, RunError
from tianji.units import Seconds

Event = Mapping[str, Any]


class EventLog:
    """The events of one operation, in memory and, with a path, in a file that later operations append to."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.events: list[Event] = read_events(path) if path and path.exists() else []
        self._file: TextIO | None = None
        if path:
            _cut_torn_line(path)
            self._file = path.open("a", encoding="utf-8")

    def write(self, at: Seconds, event: str, **facts: object) -> None:
        """Append one event.

        Raises RunError when the file cannot be written.
        """
        entry = {"n": len(self.events), "at": round(at, 3), "event": event, **facts}
        self.events.append(entry)
        if self._file:
            try:
                self._file.write(json.dumps(entry) + "\n")
                self._file.flush()
            except OSError as error:
                raise RunError(
                    f"{self.path}: cannot be written ({error.strerror}); free some space and go on with --resume"
                ) from None

    def text(self) -> str:
        """Return all events as the file holds them."""
        return "".join(json.dumps(entry) + "\n" for entry in self.events)

    def close(self) -> None:
        """Close the file; what a full disk did not take was told by :meth:`write`."""
        if self._file:
            with suppress(OSError):
                self._file.close()


def read_events(path: Path) -> list[Event]:
    """Return the events of a file; a last line that a crash cut short is left out.

    Raises FormatError for any other line that is no event.
    """
    events: list[Event] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(keepends=True), 1):
        if not line.endswith("\n"):
            break
        try:
            entry = json.loads(line)
            events.append({"n": entry["n"], "at": entry["at"], "event": entry["event"], **entry})
        except (ValueError, TypeError, KeyError):
            raise FormatError(
                f"{path}, line {number}: expected an event with n, at and event, got {line[:80]!r}"
            ) from None
    return events


def _cut_torn_line(path: Path) -> None:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if text and not text.endswith("\n"):
        path.write_text(text[: text.rfind("\n") + 1], encoding="utf-8")
