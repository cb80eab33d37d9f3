"""What ranks do under an agent: train on torch, train on MindSpore, or measure their chips."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from tianji.backends.runtime.messages import RankSeat
from tianji.errors import UnknownNameError

Serve = Callable[[], None]
"""Serves the ranks until its process is ended."""
OnStep = Callable[[int], None]
"""Hears the index of each step that a rank has finished."""

TASKS: Mapping[str, str] = {
    "train": "tianji.backends.worker",
    "train-mindspore": "tianji.backends.mindspore.worker",
    "measure": "tianji.backends.microbenchmarks.session",
}
"""By the name of the task: the module that does it. An agent imports it before it forks, so heavy parts are loaded once."""


class Task(Protocol):
    """What such a module holds."""

    def open_store(self, host: str, port: int) -> tuple[Serve, int]:
        """Open what the ranks meet at, on this host's address and a port (0: any); return what serves it, and its port.

        Called in a process that does nothing else. Raises OSError when the port is taken.
        """

    def perform(self, payload: str, seat: RankSeat, folder: Path, rendezvous: str, on_step: OnStep) -> None:
        """Do the work of one rank; an exception says why it failed."""


def load_task(name: str) -> Task:
    """Return a task by its name, with all that it imports.

    Raises UnknownNameError for a name that is none.
    """
    if name not in TASKS:
        raise UnknownNameError("task", name, TASKS)
    return cast(Task, import_module(TASKS[name]))
