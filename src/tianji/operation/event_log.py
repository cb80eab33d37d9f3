"""What happened, one JSON object a line: appended and flushed at once, so that a crash loses at most the last line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from tianji.errors import FormatError, RunError
from tianji.input_files import parse_object, read_text
from tianji.parallel.records import shown
from tianji.units import GB, Seconds

Event = Mapping[str, Any]
EXPECTED = "the events of an operation, one JSON object a line"
LARGEST_LOG = 1 * GB


class EventLog:
    """The events of one operation, in memory and, with a path, in a file that later operations append to.

    ``clock`` gives the time of day that each event is stamped with; without one, as in a simulation, events have none.
    """

    def __init__(self, path: Path | None = None, clock: Callable[[], str] | None = None) -> None:
        self.path, self._clock = path, clock
        self.events: list[Event] = read_events(path) if path and path.exists() else []
        self._file: TextIO | None = None
        if path:
            _cut_torn_line(path)
            self._file = path.open("a", encoding="utf-8")

    def write(self, at: Seconds, event: str, **facts: object) -> None:
        """Append one event.

        Raises RunError when the file cannot be written.
        """
        stamp = {"time": self._clock()} if self._clock else {}
        entry = {"n": len(self.events), "at": round(at, 3), **stamp, "event": event, **facts}
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

    Raises FormatError for any other line that is no event, or whose fields are of another kind than readers count with.
    """
    events: list[Event] = []
    for number, line in enumerate(read_text(path, EXPECTED, LARGEST_LOG).splitlines(keepends=True), 1):
        if not line.endswith("\n"):
            break
        entry = dict(parse_object(line, f"{path}, line {number}", "an event of an operation"))
        for key, is_right in (*_KEYS.items(), *_KEYS_OF.get(str(entry.get("event")), {}).items()):
            if not is_right(entry.get(key)):
                raise FormatError(
                    f"{path}, line {number}: not an event of an operation: {key} is {shown(entry.get(key))}"
                )
        events.append(entry)
    return events


def stamp() -> str:
    """Return the time of day, in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def is_stamp(value: object) -> bool:
    """Whether a value is a time of day as :func:`stamp` gives it."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _is_step(value: object) -> bool:
    return value is None or value == -1 or _is_count(value)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 10**12


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _are_counts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_count, value))


def _is_stamp_or_none(value: object) -> bool:
    return value is None or is_stamp(value)


_KEYS = {"n": _is_count, "at": _is_time, "event": _is_text, "time": _is_stamp_or_none}
_KEYS_OF: Mapping[str, Mapping[str, Callable[[object], bool]]] = {
    "start": {"attempt": _is_count, "resume": _is_step},
    "training": {"attempt": _is_count, "seconds": _is_time},
    "failure": {"attempt": _is_count, "kind": _is_text, "step": _is_step},
    "checkpoint": {"step": _is_step},
    "cordon": {"chips": _are_counts},
    "uncordon": {"chips": _are_counts},
}


def _cut_torn_line(path: Path) -> None:
    text = read_text(path, EXPECTED, LARGEST_LOG) if path.exists() else ""
    if text and not text.endswith("\n"):
        path.write_text(text[: text.rfind("\n") + 1], encoding="utf-8")
