"""Run the ranks of one job from start to end on any hosts; the first that fails ends the job."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tianji.backends.runtime.hosts import AgentHosts, seat_ranks
from tianji.backends.runtime.messages import (
    NodeSetup,
    NodeState,
    OpenStore,
    RankFile,
    Refused,
    RenewLease,
    StartRanks,
    StoreOpened,
    WorkerReport,
    decode_report,
)
from tianji.backends.runtime.rank_process import read_failure
from tianji.errors import RunError
from tianji.units import MB, Seconds

ATTEMPT = 1
LOOK: Seconds = 0.25
REPEAT: Seconds = 2.0
"""Between two times that an order is sent which no report has answered."""
FIRST_REPORT: Seconds = 120.0
"""Until an agent, which imports torch first, is expected to report."""
SILENCE: Seconds = 60.0
"""An agent that was not heard for this long is lost."""
GRACE: Seconds = 1.0
"""After a first failure others are heard, too: the peers of a lost rank often end before its own end is known."""
LOG_TAIL = 400
"""Characters of a failed rank's log that a message shows."""
FULL = MB
"""A disk with less than this free is full."""


@dataclass(frozen=True, slots=True)
class RankJob:
    """The ranks of one job: ``world`` of them, on nodes of ``node`` chips, who all do one task."""

    task: str
    payload: str
    """What the task does, as the task itself wrote it down."""
    world: int
    folder: Path
    """Where journals and logs go."""
    node: int
    port: int = 0
    """Where the ranks meet; 0: any port that is free."""
    rendezvous: str = ""
    """Where they meet if no agent is to keep a store; empty: the agent of the first node keeps one."""


def run_ranks(hosts: AgentHosts, job: RankJob, watch: Callable[[], None] | None = None) -> None:
    """Start all ranks of a job and return when each is done; ``watch`` is called again and again.

    The hosts are closed at the end, however it comes. Raises RunError when a rank fails, or a node is lost.
    """
    try:
        run = _Run(hosts, job)
        while not run.is_done():
            run.advance(LOOK)
            if watch:
                watch()
    finally:
        hosts.close()


@dataclass
class _RunNode:
    number: int
    first: int
    heard: Seconds
    state: NodeState | None = None


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a job cannot go on; the graver names a culprit, where others may be its consequence."""

    gravity: int
    reason: str


LOST, KILLED, FAILED = 2, 1, 0


class _Run:
    """One job on its way."""

    def __init__(self, hosts: AgentHosts, job: RankJob) -> None:
        self.hosts, self.job = hosts, job
        self.nodes: list[_RunNode] = []
        self.rendezvous = job.rendezvous
        self.failures: dict[int, _Failure] = {}
        """By the rank."""
        self.failed_at = float("inf")
        self.sent_at = float("-inf")
        for number, first in enumerate(range(0, job.world, job.node)):
            count = min(job.node, job.world - first)
            hosts.open(number, NodeSetup(job.task, first, count, hosts.lease))
            self.nodes.append(_RunNode(number, first, time.monotonic() + FIRST_REPORT))

    def is_done(self) -> bool:
        """Whether each rank has done its work."""
        return len(self._workers()) == self.job.world and all(w.code == 0 for w in self._workers().values())

    def advance(self, timeout: Seconds) -> None:
        """Hear what is new, and send what is to be done.

        Raises RunError when the job has failed.
        """
        for number, line in self.hosts.hear(timeout):
            node = self.nodes[number]
            if line is None:
                self._note_failure(node.first, LOST, self._describe_lost(node))
            else:
                self._take(node, line)
        now = time.monotonic()
        for node in self.nodes:
            if now - node.heard > SILENCE:
                reason = f"rank {node.first} was lost with its node: nothing was heard of it for {SILENCE:.0f} s"
                self._note_failure(node.first, LOST, reason)
        if now >= self.failed_at + GRACE or any(f.gravity == LOST for f in self.failures.values()):
            raise RunError(self._find_cause())
        if not self.failures and now - self.sent_at >= REPEAT and all(node.state for node in self.nodes):
            self._send_orders()

    def _send_orders(self) -> None:
        """Send what no report shows yet: a report that all ranks have been started is the answer to it."""
        self.sent_at = time.monotonic()
        if len(self._workers()) == self.job.world:
            return
        if not self.rendezvous:
            self.hosts.send(0, OpenStore(ATTEMPT, self.job.port))
            return
        seats = seat_ranks(self.hosts, range(self.job.world), self.job.node, len(self.nodes))
        for number, ranks in seats.items():
            folder, payload = str(self.job.folder), self.job.payload
            self.hosts.send(number, StartRanks(ATTEMPT, folder, payload, self.rendezvous, -1, ranks))

    def _take(self, node: _RunNode, line: bytes) -> None:
        report = decode_report(line)
        node.heard = time.monotonic()
        match report:
            case NodeState():
                if node.state is None:
                    self.sent_at = float("-inf")
                node.state = report
                self.hosts.send(node.number, RenewLease(report.sent_at))
                for chip in report.chips:
                    if chip.worker and chip.worker.code:
                        gravity = KILLED if chip.worker.code < 0 else FAILED
                        self._note_failure(chip.chip, gravity, describe_end(self.job.folder, chip.chip, chip.worker))
            case StoreOpened() if not self.rendezvous:
                self.rendezvous, self.sent_at = report.rendezvous, float("-inf")
            case RankFile():
                # Its name is that of a rank's own files, wherever it comes from.
                (self.job.folder / Path(report.name).name).write_text(report.text, encoding="utf-8")
            case Refused():
                raise RunError(report.reason)

    # --- failures ---------------------------------------------------------------------------------------------

    def _workers(self) -> dict[int, WorkerReport]:
        chips = [chip for node in self.nodes if node.state for chip in node.state.chips]
        return {chip.chip: chip.worker for chip in chips if chip.worker}

    def _note_failure(self, rank: int, gravity: int, reason: str) -> None:
        if rank not in self.failures:
            self.failures[rank] = _Failure(gravity, reason)
            self.failed_at = min(self.failed_at, time.monotonic())

    def _describe_lost(self, node: _RunNode) -> str:
        return f"rank {node.first} was lost: {self.hosts.describe_loss(node.number)}"

    def _find_cause(self) -> str:
        """Return the reason of the gravest failure, the first where several are as grave.

        A host that is gone shows by its peers' broken connections long before anybody calls it dead.
        """
        for node in self.nodes:
            if not self.hosts.is_reachable(node.number):
                return self._describe_lost(node)
        return max(self.failures.values(), key=lambda failure: failure.gravity).reason


def describe_end(folder: Path, rank: int, worker: WorkerReport) -> str:
    """Return what a rank died of, and where its log is."""
    log, code = folder / f"rank-{rank:05d}.log", worker.code or 0
    if code < 0:
        hint = "; was it killed for lack of memory?" if -code == signal.SIGKILL else ""
        return f"rank {rank} was ended by signal {-code} ({signal.Signals(-code).name}){hint}; its log is {log}"
    return f"rank {rank} failed: {worker.message or _describe_silent(folder, rank, log)}; its log is {log}"


def _describe_silent(folder: Path, rank: int, log: Path) -> str:
    """Return what is known of a failure that its report does not explain."""
    message = read_failure(folder, rank)
    tail = log.read_text(encoding="utf-8", errors="replace").strip()[-LOG_TAIL:] if log.exists() else ""
    if not message and not tail and shutil.disk_usage(folder).free < FULL:
        return f"the disk of {folder} is full, and took no message either; free some space and run again"
    return message or (tail.splitlines()[-1] if tail else "no message")
