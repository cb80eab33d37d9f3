"""The agent of one node: stays, with all imports done, starts the ranks of one attempt after another, and reports their state.

``python -m tianji.backends.runtime.agent SETUP HOST`` hears orders on stdin and reports on stdout, in the messages of
:mod:`tianji.backends.runtime.messages`, a line each. It reports every second and at once when a rank ends. When its parent dies
the kernel kills it, and its ranks with it. When none of the reports that it sent in the time of its lease was acknowledged, it
ends its ranks by itself: the supervisor, which cannot reach it, counts on that before it starts others.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tianji.backends.runtime.messages import (
    ChipReport,
    NodeSetup,
    NodeState,
    OpenStore,
    RankFile,
    Refused,
    RenewLease,
    Report,
    StartRanks,
    StopRanks,
    StoreOpened,
    decode_order,
    decode_report,
    decode_setup,
    encode,
)
from tianji.backends.runtime.rank_process import (
    RankProcess,
    die_with_parent,
    fork_child,
    fork_rank,
    leave_to_supervisor,
    name_process,
)
from tianji.backends.runtime.tasks import Task, load_task
from tianji.errors import MessageError
from tianji.units import Seconds

BEAT: Seconds = 1.0
"""Between two reports."""
MARGIN: Seconds = 2 * BEAT
"""How long before the end of its lease an agent ends its ranks; it looks once in a beat."""
CHUNK = 1 << 16


@dataclass
class _StoreKeeper:
    """The process that keeps the store of an attempt, so that the agent stays free of threads and may fork."""

    pid: int
    answer: int
    """File in which it says where the store is."""
    report: Report | None = None


class NodeAgent:
    """The chips of one node and their ranks; ``send`` takes a report to the supervisor, ``clock`` is what a lease runs by."""

    def __init__(
        self, setup: NodeSetup, host: str, task: Task, send: Callable[[bytes], None],
        clock: Callable[[], Seconds] = time.monotonic,
    ) -> None:  # fmt: skip
        self.setup, self.host, self.task, self._send, self._clock = setup, host, task, send, clock
        self.chips = range(setup.first, setup.first + setup.count)
        self.ranks: dict[int, RankProcess] = {}
        """By chip: the last rank that was started on it."""
        self.keepers: dict[int, _StoreKeeper] = {}
        """By attempt."""
        self.stopped = 0
        self.renewed = clock()
        """When it sent the newest report that was acknowledged."""
        self.to_close: list[int] = []
        """Files that a child must not keep open."""
        self._folder = ""
        """Where the ranks of a host apart write."""

    # --- orders -----------------------------------------------------------------------------------------------

    def obey(self, line: bytes) -> bool:
        """Follow an order; whether that may have changed what is to be reported."""
        try:
            order = decode_order(line)
        except MessageError as error:
            self.report(Refused(0, str(error)))
            return False
        match order:
            case RenewLease():
                self.renewed = max(self.renewed, order.sent_at)
                return False
            case StopRanks():
                self.stopped = max(self.stopped, order.attempt)
                self.stop_ranks(order.attempt)
            case OpenStore() if order.attempt > self.stopped:
                self._open_store(order)
            case StartRanks() if order.attempt > self.stopped and self.is_leased():
                self._start(order)
        return True

    def _open_store(self, order: OpenStore) -> None:
        """Have a store opened; where it is, :meth:`hear_keepers` says as soon as that is known: nobody waits here."""
        keeper = self.keepers.get(order.attempt)
        if keeper is None:
            answer, voice = os.pipe()
            pid = fork_child(lambda: self._keep_store(order, voice), [*self.to_close, answer])
            os.close(voice)
            self.keepers[order.attempt] = _StoreKeeper(pid, answer)
        elif keeper.report:
            self.report(keeper.report)

    def _keep_store(self, order: OpenStore, answer: int) -> int:
        name_process("tianji store")
        try:
            serve_store, port = self.task.open_store(self.host, order.port)
        except OSError as error:
            reason = f"port {order.port} cannot be had on {self.host} ({error.strerror or error})"
            os.write(answer, encode(Refused(order.attempt, f"{reason}; leave --port out to take a free one")))
            return 1
        os.write(answer, encode(StoreOpened(order.attempt, f"tcp://{self.host}:{port}/attempt-{order.attempt}")))
        os.close(answer)
        serve_store()
        return 0

    def _start(self, order: StartRanks) -> None:
        folder = Path(order.folder)
        if self.setup.is_apart:
            self._folder = self._folder or tempfile.mkdtemp(prefix="tianji-rank-")
            folder = Path(self._folder)
        for seat in order.ranks:
            known = self.ranks.get(seat.chip)
            if known is None or known.attempt < order.attempt:
                self.ranks[seat.chip] = fork_rank(self.task, order, seat, folder, self.to_close)

    # --- reports ----------------------------------------------------------------------------------------------

    def report(self, report: Report) -> None:
        """Send a report."""
        self._send(encode(report))

    def state(self) -> NodeState:
        """Return the state of the node; no chip is tested here, so each is called healthy."""
        ranks = {chip: rank.describe() for chip, rank in self.ranks.items()}
        chips = tuple(ChipReport(chip, healthy=True, worker=ranks.get(chip)) for chip in self.chips)
        return NodeState(self._clock(), self.stopped, chips)

    def look(self) -> bool:
        """End the ranks when the lease is over, and take in which have ended by themselves; whether any has.

        The files of those on a host apart are sent.
        """
        if not self.is_leased():
            self.stop_ranks(max((rank.attempt for rank in self.ranks.values()), default=0))
        ended = [rank for rank in self.ranks.values() if rank.has_ended()]
        for rank in ended if self.setup.is_apart else ():
            for path in sorted(rank.folder.glob(f"rank-{rank.rank:05d}.*")):
                self.report(RankFile(path.name, path.read_text(encoding="utf-8", errors="replace")))
        return bool(ended)

    def hear_keepers(self, ready: set[int]) -> None:
        """Pass on what the keepers of stores say."""
        for attempt, keeper in self.keepers.items():
            if keeper.report is None and keeper.answer in ready:
                line = os.read(keeper.answer, CHUNK)
                os.close(keeper.answer)
                reason = f"the store could not be opened on {self.host}"
                keeper.report = decode_report(line) if line else Refused(attempt, reason)
                self.report(keeper.report)

    def open_questions(self) -> list[int]:
        """Return the files in which keepers have not answered yet."""
        return [keeper.answer for keeper in self.keepers.values() if keeper.report is None]

    # --- ends -------------------------------------------------------------------------------------------------

    def is_leased(self) -> bool:
        """Whether the supervisor has heard of this node lately enough for ranks to run."""
        return self._clock() - self.renewed <= self.setup.lease - MARGIN

    def stop_ranks(self, attempt: int) -> None:
        """End all ranks and stores of attempts up to this one."""
        for rank in self.ranks.values():
            if rank.attempt <= attempt:
                rank.end()
        for number in [n for n in self.keepers if n <= attempt]:
            keeper = self.keepers.pop(number)
            if keeper.report is None:
                os.close(keeper.answer)
            os.kill(keeper.pid, signal.SIGKILL)
            os.waitpid(keeper.pid, 0)

    def close(self) -> None:
        """End all that is left."""
        self.stop_ranks(max([*self.keepers, *(rank.attempt for rank in self.ranks.values())], default=0))
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def serve(agent: NodeAgent, orders: int) -> None:
    """Have an agent hear orders from a file until that ends, and report."""
    wake, signalled = os.pipe()
    for end in (wake, signalled):
        os.set_blocking(end, False)
    agent.to_close += [wake, signalled]
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(signalled, warn_on_full_buffer=False)
    pending, reported = b"", float("-inf")
    while True:
        patience = max(reported + BEAT - time.monotonic(), 0.0)
        ready = set(select.select([orders, wake, *agent.open_questions()], [], [], patience)[0])
        if wake in ready:
            os.read(wake, CHUNK)
        has_news = False
        if orders in ready:
            chunk = os.read(orders, CHUNK)
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                has_news |= agent.obey(line)
        agent.hear_keepers(ready)
        has_news |= agent.look()
        if has_news or time.monotonic() - reported >= BEAT:
            reported = time.monotonic()
            agent.report(agent.state())


def main(setup: NodeSetup, host: str) -> None:
    """Serve the chips of a node."""
    die_with_parent()
    leave_to_supervisor()
    name_process(f"tianji node {setup.first // max(setup.count, 1)}")
    # What a library prints must not come between the reports.
    reports = os.dup(1)
    os.dup2(2, 1)
    agent = NodeAgent(setup, host, load_task(setup.task), lambda line: _write(reports, line + b"\n"))
    agent.to_close.append(reports)
    try:
        serve(agent, 0)
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            agent.close()


def _write(file: int, line: bytes) -> None:
    left = memoryview(line)
    while left:
        left = left[os.write(file, left) :]


if __name__ == "__main__":
    main(decode_setup(sys.argv[1]), sys.argv[2])
