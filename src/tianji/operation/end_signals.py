"""The signals that ask an operation to end: noted, for the loop to act on, never raised in the midst of something."""

from __future__ import annotations

import signal
import threading
from typing import Any, Self


class EndSignals:
    """Takes the signals that ask a job to end, while an operation is at work in the main thread."""

    def __init__(self) -> None:
        self.count = 0
        """How many came."""
        self._names: list[str] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: object) -> None:
        self.count += 1
        self._names.append(signal.Signals(number).name)

    def take(self) -> list[str]:
        """Return the names of those that came since the last call."""
        names, self._names = self._names, []
        return names
