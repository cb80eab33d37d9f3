"""The agents of a real operation: one for each node, wherever its host is, and what is sent to it and heard of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from tianji.backends.checkpoints import step_folder
from tianji.backends.journal import END_REQUEST, last_words
from tianji.backends.options import RunOptions
from tianji.backends.payload import RunPayload
from tianji.backends.runtime.hosts import THIS, AgentHosts, seat_ranks
from tianji.backends.runtime.messages import (
    NodeSetup,
    NodeState,
    OpenStore,
    Order,
    Refused,
    RenewLease,
    StartRanks,
    StopRanks,
    StoreOpened,
    decode_report,
)
from tianji.backends.runtime.supervise import FIRST_REPORT
from tianji.errors import RunError
from tianji.operation.protocols import Attempt, NodeReport
from tianji.units import Seconds


@dataclass
class _OperatedNode:
    number: int
    chips: range
    is_open: bool = False
    is_gone: bool = True
    """Nothing of its last agent is left, so that another may be started."""
    heard: Seconds = 0.0
    back_at: Seconds = 0.0
    serial: int = 0
    pids: dict[int, int] = field(default_factory=dict)
    """Chip: the process of its last worker."""
    codes: dict[int, int | None] = field(default_factory=dict)
    """Chip: the exit code of its last worker, below zero for a signal; None while it is alive."""


class HostAgents:
    """``chips`` chips in nodes of ``node``; ``folder``, which all hosts see, gets one folder for each attempt.

    An agent that dies or falls silent for ``silence`` is ended with all of its workers, and comes back after ``repair``.
    """

    def __init__(
        self, hosts: AgentHosts, chips: int, node: int, folder: Path, options: RunOptions, repair: Seconds = 600.0,
        silence: Seconds = 10.0,
    ) -> None:  # fmt: skip
        self.hosts, self.node, self.folder, self.options = hosts, node, folder, options
        self.repair, self.silence = repair, silence
        self.lease = hosts.lease
        self.nodes = [
            _OperatedNode(i, range(first, min(first + node, chips))) for i, first in enumerate(range(0, chips, node))
        ]
        self._inbox: list[NodeReport] = []
        self._waiting: dict[int, Attempt] = {}
        """Attempts whose store is not yet known."""
        self._rendezvous: dict[int, str] = {}
        self._payloads: dict[int, str] = {}
        for each in self.nodes:
            self._open(each)

    # --- what the controller calls ----------------------------------------------------------------------------

    def poll(self) -> Sequence[NodeReport]:
        """Return what was heard since the last call."""
        self._check_agents()
        reports, self._inbox = self._inbox, []
        return reports

    def start(self, attempt: Attempt) -> None:
        """Have a store opened by the first node of an attempt; when it is known, :meth:`listen` starts the workers."""
        if attempt.number in self._rendezvous:
            self._send_start(attempt)
            return
        if attempt.number not in self._waiting:
            self._waiting[attempt.number] = attempt
            self._prepare(attempt)
        self._send(attempt.chips[0] // self.node, OpenStore(attempt.number))

    def stop(self, attempt: int) -> None:
        """Have all workers of attempts up to this one killed."""
        self._waiting = {n: a for n, a in self._waiting.items() if n > attempt}
        for node in self.nodes:
            self._send(node.number, StopRanks(attempt))

    def save_and_end(self, attempt: Attempt) -> None:
        """Have the workers of an attempt save after the step they are in, and end: a file in their folder asks them to."""
        with suppress(OSError):
            (self._attempt_folder(attempt.number) / END_REQUEST).touch()

    def describe(self, attempt: Attempt, chips: Sequence[int]) -> Sequence[Mapping[str, object]]:
        """Return rank, node, host, process and last words of the workers of some chips."""
        facts = []
        for rank, chip in enumerate(attempt.chips):
            if chip in chips:
                node = self.nodes[chip // self.node]
                log = self._attempt_folder(attempt.number) / f"rank-{rank:05d}.log"
                facts.append({
                    "chip": chip, "rank": rank, "node": node.number, "host": self._host(node.number),
                    "pid": node.pids.get(chip), "exit_code": node.codes.get(chip), "last_words": last_words(log),
                })  # fmt: skip
        return facts

    def _host(self, node: int) -> str:
        machine = self.hosts.machine(node)
        return socket.gethostname() if machine == THIS else machine

    # --- the loop ---------------------------------------------------------------------------------------------

    def listen(self, timeout: Seconds) -> None:
        """Wait until something is heard, at most so long.

        Raises MessageError when an agent sends what is no report, and RunError when it does not understand an order.
        """
        for number, line in self.hosts.hear(timeout):
            node = self.nodes[number]
            if line is None:
                self._note_end(node)
            elif node.is_open:
                self._take(node, line)

    def close(self) -> None:
        """End all agents, and their workers with them."""
        self.hosts.close()

    def pids(self) -> Mapping[int, int]:
        """Return the process of the last worker of each chip."""
        return {chip: pid for node in self.nodes for chip, pid in node.pids.items()}

    # --- nodes ------------------------------------------------------------------------------------------------

    def _open(self, node: _OperatedNode) -> None:
        self.hosts.open(node.number, NodeSetup("train", node.chips.start, len(node.chips), self.hosts.lease))
        node.is_open, node.is_gone, node.heard = True, False, time.monotonic() + FIRST_REPORT

    def _check_agents(self) -> None:
        """End silent agents, and bring dead ones back when they are repaired."""
        now = time.monotonic()
        for node in self.nodes:
            if node.is_gone and now >= node.back_at:
                self._open(node)
            elif node.is_open and now - node.heard > self.silence:
                node.is_open, node.back_at = False, now + self.repair
                self.hosts.end(node.number)

    def _note_end(self, node: _OperatedNode) -> None:
        node.back_at = time.monotonic() + self.repair if node.is_open else node.back_at
        node.is_open, node.is_gone = False, True
        node.serial += 1
        self._inbox.append(NodeReport(node.number, node.serial, (), dead=True))

    def _send(self, node: int, order: Order) -> None:
        if self.nodes[node].is_open:
            self.hosts.send(node, order)

    def _take(self, node: _OperatedNode, line: bytes) -> None:
        report = decode_report(line)
        node.heard = time.monotonic()
        match report:
            case StoreOpened():
                attempt = self._waiting.pop(report.attempt, None)
                if attempt is not None:
                    self._rendezvous = {attempt.number: report.rendezvous}
                    self._send_start(attempt)
            case NodeState():
                self._send(node.number, RenewLease(report.sent_at))
                node.serial += 1
                node.pids |= {chip.chip: chip.worker.pid for chip in report.chips if chip.worker}
                node.codes |= {chip.chip: chip.worker.code for chip in report.chips if chip.worker}
                self._inbox.append(NodeReport(node.number, node.serial, report.chips, report.stopped))
            case Refused(attempt=0):
                raise RunError(f"the agent of node {node.number} does not understand us: {report.reason}")

    # --- attempts ---------------------------------------------------------------------------------------------

    def _attempt_folder(self, number: int) -> Path:
        return self.folder / "attempts" / f"{number:05d}"

    def _prepare(self, attempt: Attempt) -> None:
        """Write down what the workers of an attempt are told."""
        folder = self._attempt_folder(attempt.number)
        folder.mkdir(parents=True, exist_ok=True)
        checkpoints = self.folder / "checkpoints"
        resume = "" if attempt.resume is None else str(step_folder(checkpoints, attempt.resume))
        options = replace(
            self.options, out=str(folder), checkpoints=str(checkpoints), checkpoint_every=attempt.checkpoint_every,
            resume_from=resume, trace=False,
        )  # fmt: skip
        self._payloads = {attempt.number: RunPayload(attempt.plan, options, world=len(attempt.chips)).text()}
        (folder / "payload.json").write_text(self._payloads[attempt.number], encoding="utf-8")

    def _send_start(self, attempt: Attempt) -> None:
        folder, payload = str(self._attempt_folder(attempt.number)), self._payloads[attempt.number]
        rendezvous, step = self._rendezvous[attempt.number], -1 if attempt.resume is None else attempt.resume
        for number, ranks in seat_ranks(self.hosts, attempt.chips, self.node, len(self.nodes)).items():
            self._send(number, StartRanks(attempt.number, folder, payload, rendezvous, step, ranks))
