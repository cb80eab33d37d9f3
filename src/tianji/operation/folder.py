"""The folder of an operation: who operates it now, and what others ask of that one.

A lock on ``controller.json`` belongs to the process that operates; the kernel frees it when that process ends, however it ends.
Others ask by files in ``requests``, each written in one stroke, so that they need no connection and may be on another host that
sees the folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from tianji.errors import FormatError, RunError
from tianji.input_files import read_object
from tianji.operation.event_log import stamp
from tianji.parallel.plan_file import write_text
from tianji.parallel.records import decode

ORDER = "operation.json"
EVENTS = "events.jsonl"
CHECKPOINTS = "checkpoints"
CONTROLLER = "controller.json"
REQUESTS = "requests"
KINDS = ("stop", "cordon", "uncordon")


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that operates a folder, or that did so last."""

    pid: int
    host: str
    since: str
    """Time of day."""


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """What somebody asks of an operation."""

    request: str
    chips: tuple[int, ...] = ()
    pid: int = 0
    """Of the one who asks."""
    host: str = ""

    def __post_init__(self) -> None:
        if self.request not in KINDS:
            raise FormatError(f"expected one of {', '.join(KINDS)}, got the request {self.request!r:.60}")


class FolderLock:
    """Held while an operation is at work in a folder."""

    def __init__(self, folder: Path) -> None:
        """Take the lock; raises RunError, which names the holder, where another process has it."""
        self.path = folder / CONTROLLER
        self._file: TextIO = self.path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            holder = read_holder(folder)
            name = f"process {holder.pid} on {holder.host}" if holder else "another process"
            raise RunError(f"{folder}: is operated by {name}; end it with: tianji operate stop {folder}") from None
        self._file.truncate(0)
        self._file.write(json.dumps(asdict(Holder(os.getpid(), socket.gethostname(), stamp()))) + "\n")
        self._file.flush()

    def release(self) -> None:
        """Let others operate the folder."""
        self._file.close()


def is_operated(folder: Path) -> bool:
    """Return whether a process operates a folder now."""
    with suppress(OSError), (folder / CONTROLLER).open("r", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def read_holder(folder: Path) -> Holder | None:
    """Return who operates a folder, or did so last; None where nothing tells."""
    with suppress(FormatError):
        path = folder / CONTROLLER
        return decode(Holder, read_object(path, "who operates a folder"), str(path), {})
    return None


def send_request(folder: Path, request: str, chips: tuple[int, ...] = ()) -> OperationRequest:
    """Ask something of the operation in a folder, and return what was asked.

    Raises FormatError for a folder that is none of an operation, and RunError where nobody operates it.
    """
    if not (folder / ORDER).is_file():
        raise FormatError(f"{folder}: not the folder of an operation: it has no {ORDER}")
    if not is_operated(folder):
        raise RunError(f"{folder}: nobody operates it now; go on with: tianji operate --resume {folder}")
    (folder / REQUESTS).mkdir(exist_ok=True)
    asked = OperationRequest(request, chips, os.getpid(), socket.gethostname())
    write_text(folder / REQUESTS / f"{time.time_ns():020d}-{os.getpid()}.json", json.dumps(asdict(asked)) + "\n")
    return asked


def take_requests(folder: Path) -> list[OperationRequest]:
    """Return what was asked since the last call, in order; a request that is none is dropped."""
    requests = []
    for path in sorted((folder / REQUESTS).glob("*.json")):
        with suppress(FormatError):
            requests.append(decode(OperationRequest, read_object(path, "a request"), path.name, {}))
        with suppress(OSError):
            path.unlink()
    return requests
