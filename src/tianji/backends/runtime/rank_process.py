"""One rank as a process of its agent: forked, watched by its signs of life, and ended for certain."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tianji.backends.journal import Journal, read_journal
from tianji.backends.runtime.messages import RankSeat, StartRanks, WorkerReport
from tianji.backends.runtime.tasks import Task
from tianji.errors import TianjiError
from tianji.units import Seconds

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
BEAT: Seconds = 0.5
"""Between two signs of life of a rank."""
LONGEST_MESSAGE = 2000
_SIGN = struct.Struct("dq")
"""When a rank last gave a sign of life, and the last step that it finished."""


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies (Linux; elsewhere the agent's own clean-up must do)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def leave_to_supervisor() -> None:
    """Ignore what asks a job to end: it may reach the whole process group, and it is the supervisor that ends us."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def name_process(name: str) -> None:
    """Give this process the name that ``ps`` and ``top`` show (Linux; its first 15 letters)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NAME, name.encode()[:15])


@dataclass
class RankProcess:
    """A rank that an agent started."""

    pid: int
    attempt: int
    rank: int
    folder: Path
    signs: mmap.mmap
    code: int | None = None
    """Exit code, below zero for a signal; None: it is alive, or not yet known to have ended."""

    def has_ended(self) -> bool:
        """Whether it has ended since the last look."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
                return True
        return False

    def end(self) -> None:
        """Kill it, and return when it is gone: no report may call a chip free on which a rank may still write."""
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def describe(self) -> WorkerReport:
        """Return its state."""
        seen, step = _SIGN.unpack(self.signs[: _SIGN.size])
        silence = max(time.monotonic() - seen, 0.0)
        message = read_failure(self.folder, self.rank) if self.code else ""
        return WorkerReport(self.attempt, step, silence, self.code, message, self.pid)


def read_failure(folder: Path, rank: int) -> str:
    """Return what a rank wrote down about its failure; empty when it wrote nothing."""
    journal = folder / f"rank-{rank:05d}.jsonl"
    events = read_journal(journal) if journal.is_file() else []
    return next((str(event["message"]) for event in reversed(events) if event["event"] == "failed"), "")


def fork_rank(task: Task, order: StartRanks, seat: RankSeat, folder: Path, to_close: Sequence[int]) -> RankProcess:
    """Start a rank that writes to ``folder``; ``to_close`` are the agent's own files, which the rank must not keep open."""
    signs = mmap.mmap(-1, _SIGN.size)
    signs[: _SIGN.size] = _SIGN.pack(time.monotonic(), order.step)

    def work() -> int:
        name_process(f"tianji rank {seat.rank}")
        _redirect(folder / f"rank-{seat.rank:05d}.log")
        return _perform(task, order, seat, folder, signs)

    return RankProcess(fork_child(work, to_close), order.attempt, seat.rank, folder, signs)


def fork_child(work: Callable[[], int], to_close: Sequence[int]) -> int:
    """Fork a process that does some work, ends with the exit code it returns, and dies with this one; return its id."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        die_with_parent()
        if os.getppid() != parent:
            os._exit(code)  # it died before the kernel knew of our wish
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        leave_to_supervisor()
        for file in to_close:
            os.close(file)
        code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not sys.exit: the libraries' own clean-up threads abort some processes after correct results.
        os._exit(code)


def _redirect(log: Path) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


def _perform(task: Task, order: StartRanks, seat: RankSeat, folder: Path, signs: mmap.mmap) -> int:
    """Do a rank's work beside a thread that gives signs of life; return the exit code."""
    done = order.step

    def sign() -> None:
        signs[: _SIGN.size] = _SIGN.pack(time.monotonic(), done)

    def give_signs() -> None:
        while True:
            sign()
            time.sleep(BEAT)

    def note_step(index: int) -> None:
        nonlocal done
        done = index
        sign()

    threading.Thread(target=give_signs, daemon=True).start()
    try:
        task.perform(order.payload, seat, folder, order.rendezvous, note_step)
    except Exception as error:
        traceback.print_exc()
        message = str(error) if isinstance(error, TianjiError) else f"{type(error).__name__}: {error}"
        Journal(folder, seat.rank).write("failed", message=message[:LONGEST_MESSAGE])
        return 1
    return 0
