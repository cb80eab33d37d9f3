"""The agent of one node: stays, with torch imported, starts the workers of one attempt after another, and reports their state.

``python -m tianji.operation.node_agent FIRST COUNT LEASE HOST`` hears orders on stdin and reports on stdout, a JSON object a
line. It reports every second and at once when a worker ends. When its parent dies the kernel kills it, and its workers with it.
When none of the reports that it sent in the last ``LEASE`` seconds was acknowledged, it ends its workers by itself: the
controller, which cannot reach it, counts on that before it starts others.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import select
import signal
import struct
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tianji.backends.agent import die_with_parent
from tianji.backends.journal import Journal
from tianji.backends.spec import Spec
from tianji.errors import TianjiError
from tianji.units import Seconds

BEAT = 1.0
"""Seconds between two reports, and between two signs of life of a worker."""
MARGIN = 2 * BEAT
"""How long before the end of its lease an agent ends its workers; it looks once in a beat."""
_SIGN = struct.Struct("dq")
"""When a worker last gave a sign of life, and the last step that it finished."""


@dataclass
class _Worker:
    pid: int
    attempt: int
    signs: mmap.mmap
    spec: Path
    rank: int
    code: int | None = None


class NodeAgent:
    """Chips ``first`` to ``first + count - 1`` of a host, by its address, and their workers."""

    def __init__(self, first: int, count: int, lease: Seconds, host: str) -> None:
        self.chips, self.lease, self.host = range(first, first + count), lease, host
        self.workers: dict[int, _Worker] = {}
        self.keepers: dict[int, tuple[int, str]] = {}
        """Attempt: the process that keeps the store at which its ranks meet, and the store's address."""
        self.stopped = 0
        self.renewed = time.monotonic()
        """When it sent the newest report that was acknowledged."""

    def serve(self) -> None:
        """Hear orders until stdin ends."""
        wake, signalled = os.pipe()
        for end in (wake, signalled):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(signalled, warn_on_full_buffer=False)
        pending, reported = b"", float("-inf")
        while True:
            has_orders = False
            ready, _, _ = select.select([0, wake], [], [], max(reported + BEAT - time.monotonic(), 0.0))
            if wake in ready:
                os.read(wake, 4096)
            if 0 in ready:
                chunk = os.read(0, 65536)
                if not chunk:
                    return
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    has_orders |= self._obey(json.loads(line))
            if not self._is_leased():
                self._end_workers(max(worker.attempt for worker in self.workers.values()) if self.workers else 0)
            has_news = self._reap() or has_orders
            if has_news or time.monotonic() - reported >= BEAT:
                reported = time.monotonic()
                self._say(state=self._describe(), stopped=self.stopped, at=reported)

    def end(self) -> None:
        """Kill all that is left."""
        keepers = [pid for pid, _ in self.keepers.values()]
        for pid in [*keepers, *(w.pid for w in self.workers.values() if w.code is None)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _is_leased(self) -> bool:
        return time.monotonic() - self.renewed <= self.lease - MARGIN

    def _say(self, **facts: object) -> None:
        print(json.dumps(facts), flush=True)

    def _obey(self, order: Mapping[str, Any]) -> bool:
        """Follow an order; whether that may have changed what is to be reported."""
        if order["do"] == "renew":
            self.renewed = max(self.renewed, float(order["at"]))
            return False
        attempt = int(order["attempt"])
        if order["do"] == "stop":
            self.stopped = max(self.stopped, attempt)
            self._end_workers(attempt)
        elif attempt > self.stopped and order["do"] == "keep":
            self._say(rendezvous=self._keep_store(attempt), attempt=attempt)
        elif attempt > self.stopped and order["do"] == "start" and self._is_leased():
            for chip, seat in order["ranks"].items():
                known = self.workers.get(int(chip))
                if known is None or known.attempt < attempt:
                    self.workers[int(chip)] = self._fork(order, attempt, seat)
        return True

    def _end_workers(self, attempt: int) -> None:
        for worker in self.workers.values():
            if worker.attempt <= attempt and worker.code is None:
                os.kill(worker.pid, signal.SIGKILL)
                # Waited for here: a report must never call a chip free on which a worker may still write.
                worker.code = os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])
        for number in [n for n in self.keepers if n <= attempt]:
            pid, _ = self.keepers.pop(number)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _reap(self) -> bool:
        found = False
        for worker in self.workers.values():
            if worker.code is None:
                pid, status = os.waitpid(worker.pid, os.WNOHANG)
                if pid:
                    worker.code, found = os.waitstatus_to_exitcode(status), True
        return found

    def _describe(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        for chip in self.chips:
            entry: dict[str, object] = {"chip": chip}
            if worker := self.workers.get(chip):
                seen, step = _SIGN.unpack(worker.signs[: _SIGN.size])
                entry |= {"attempt": worker.attempt, "step": step, "silence": max(time.monotonic() - seen, 0.0)}
                entry |= {"code": worker.code, "message": _read_message(worker) if worker.code else ""}
                entry["pid"] = worker.pid
            found.append(entry)
        return found

    def _keep_store(self, attempt: int) -> str:
        """Fork the keeper of a store, so that this process stays free of threads, and return the store's address."""
        if attempt in self.keepers:
            return self.keepers[attempt][1]
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                die_with_parent()
                signal.set_wakeup_fd(-1)
                from tianji.backends.rendezvous import open_keeper

                keeper, port = open_keeper(self.host)
                os.write(write_end, str(port).encode())
                while keeper:
                    signal.pause()
            finally:
                os._exit(1)
        os.close(write_end)
        address = f"tcp://{self.host}:{os.read(read_end, 64).decode()}/attempt-{attempt}"
        os.close(read_end)
        self.keepers[attempt] = pid, address
        return address

    def _fork(self, order: Mapping[str, Any], attempt: int, seat: Mapping[str, int]) -> _Worker:
        rank = seat["rank"]
        signs = mmap.mmap(-1, _SIGN.size)
        signs[: _SIGN.size] = _SIGN.pack(time.monotonic(), int(order["step"]))
        path = Path(order["spec"])
        pid = os.fork()
        if pid:
            return _Worker(pid, attempt, signs, path, rank)
        code = 1
        try:
            die_with_parent()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            log = os.open(path.parent / f"rank-{rank:05d}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            code = _work(Spec.read(path), seat, str(order["rendezvous"]), signs)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            # Not sys.exit: the libraries' own clean-up threads abort some processes after correct results.
            os._exit(code)


def _work(spec: Spec, seat: Mapping[str, int], rendezvous: str, signs: mmap.mmap) -> int:
    """Train on one rank, with a thread that gives signs of life."""
    from tianji.backends.trainer.loop import Step
    from tianji.backends.worker import work

    done = _SIGN.unpack(signs[: _SIGN.size])[1]

    def sign() -> None:
        signs[: _SIGN.size] = _SIGN.pack(time.monotonic(), done)

    def live() -> None:
        while True:
            sign()
            time.sleep(BEAT / 2)

    def note(step: Step) -> None:
        nonlocal done
        done = step.index
        sign()

    threading.Thread(target=live, daemon=True).start()
    try:
        work(
            spec.plan, seat["rank"], spec.world, rendezvous, spec.options, local_rank=seat["place"],
            local_size=seat["crowd"], on_step=note,
        )  # fmt: skip
    except Exception as error:
        traceback.print_exc()
        message = str(error) if isinstance(error, TianjiError) else f"{type(error).__name__}: {error}"
        Journal(Path(spec.options.out), seat["rank"]).write("failed", message=message[:2000])
        return 1
    return 0


def _read_message(worker: _Worker) -> str:
    from tianji.backends.journal import read_journal

    journal = worker.spec.parent / f"rank-{worker.rank:05d}.jsonl"
    events = read_journal(journal) if journal.exists() else []
    return next((str(e["message"])[:300] for e in reversed(events) if e["event"] == "failed"), "")


def main(first: int, count: int, lease: Seconds, host: str) -> None:
    """Serve the chips of a node."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the controller, which ends us
    import tianji.backends.trainer.loop
    import tianji.backends.worker  # noqa: F401  (before the forks, so that torch is imported once for all)

    agent = NodeAgent(first, count, lease, host)
    try:
        agent.serve()
    finally:
        agent.end()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
