"""The cluster of a real operation: one agent for each node, wherever its host is, and what is said to it and heard of it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from tianji.backends.checkpoints import step_folder
from tianji.backends.options import RunOptions
from tianji.backends.spec import Spec
from tianji.operation.protocols import Attempt, ChipReport, NodeReport, WorkerReport
from tianji.units import Seconds

FIRST_WORD: Seconds = 120.0
"""Until an agent, which imports torch first, is expected to report."""


class Hosts(Protocol):
    """Where the agents of the nodes run, as the cluster sees it."""

    lease: Seconds
    """An agent none of whose reports of so many seconds was acknowledged has ended its workers; infinite where none need to."""

    def machine(self, node: int) -> str:
        """Return the name of the machine of a node; nodes of one machine share its cores and accelerators."""

    def open(self, node: int, words: Sequence[str]) -> None:
        """Start the agent of a node by Python, with these words and the address of the host after them."""

    def tell(self, node: int, order: bytes) -> None:
        """Say a line to the agent of a node. May get lost."""

    def hear(self, timeout: Seconds) -> list[tuple[int, bytes | None]]:
        """Return what agents said, by node, waiting at most so long for the first line; None: nothing of the agent is left."""

    def end(self, node: int) -> None:
        """Have the agent of a node killed with all of its workers; :meth:`hear` says when they are certainly gone."""

    def close(self) -> None:
        """End all agents."""

    def agents(self) -> Mapping[int, int]:
        """Return the process of the agent of each node that has one."""


@dataclass
class _Node:
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


class AgentCluster:
    """``chips`` chips in nodes of ``node``; ``folder``, which all hosts see, gets one folder for each attempt.

    An agent that dies or falls silent for ``silence`` is ended with all of its workers, and comes back after ``repair``.
    """

    def __init__(
        self, hosts: Hosts, chips: int, node: int, folder: Path, options: RunOptions, repair: Seconds = 600.0,
        silence: Seconds = 10.0,
    ) -> None:  # fmt: skip
        self.hosts, self.node, self.folder, self.options = hosts, node, folder, options
        self.repair, self.silence = repair, silence
        self.lease = hosts.lease
        self.nodes = [_Node(i, range(first, min(first + node, chips))) for i, first in enumerate(range(0, chips, node))]
        self._inbox: list[NodeReport] = []
        self._orders: dict[int, Attempt] = {}
        """Attempts whose store is not yet known."""
        self._rendezvous: dict[int, str] = {}
        for each in self.nodes:
            self._open(each)

    # --- what the controller calls ----------------------------------------------------------------------------

    def poll(self) -> Sequence[NodeReport]:
        """Return what was heard since the last call."""
        self._check_agents()
        found, self._inbox = self._inbox, []
        return found

    def start(self, attempt: Attempt) -> None:
        """Have a store opened by the first node of an attempt; when it is known, :meth:`listen` starts the workers."""
        if attempt.number in self._rendezvous:
            self._send_start(attempt)
            return
        if attempt.number not in self._orders:
            self._orders[attempt.number] = attempt
            self._prepare(attempt)
        self._send(attempt.chips[0] // self.node, {"do": "keep", "attempt": attempt.number})

    def stop(self, attempt: int) -> None:
        """Have all workers of attempts up to this one killed."""
        self._orders = {n: a for n, a in self._orders.items() if n > attempt}
        for node in self.nodes:
            self._send(node.number, {"do": "stop", "attempt": attempt})

    # --- the loop ---------------------------------------------------------------------------------------------

    def listen(self, timeout: Seconds) -> None:
        """Wait until something is heard, at most so long."""
        for number, said in self.hosts.hear(timeout):
            node = self.nodes[number]
            if said is None:
                self._note_end(node)
            elif node.is_open:
                self._take(node, json.loads(said))

    def close(self) -> None:
        """End all agents, and their workers with them."""
        self.hosts.close()

    def pids(self) -> Mapping[int, int]:
        """Return the process of the last worker of each chip."""
        return {chip: pid for node in self.nodes for chip, pid in node.pids.items()}

    # --- nodes ------------------------------------------------------------------------------------------------

    def _open(self, node: _Node) -> None:
        chips = (str(node.chips.start), str(len(node.chips)))
        self.hosts.open(node.number, ("-m", "tianji.operation.node_agent", *chips, str(self.hosts.lease)))
        node.is_open, node.is_gone, node.heard = True, False, time.monotonic() + FIRST_WORD

    def _check_agents(self) -> None:
        """End silent agents, and bring dead ones back when they are repaired."""
        now = time.monotonic()
        for node in self.nodes:
            if node.is_gone and now >= node.back_at:
                self._open(node)
            elif node.is_open and now - node.heard > self.silence:
                node.is_open, node.back_at = False, now + self.repair
                self.hosts.end(node.number)

    def _note_end(self, node: _Node) -> None:
        node.back_at = time.monotonic() + self.repair if node.is_open else node.back_at
        node.is_open, node.is_gone = False, True
        node.serial += 1
        self._inbox.append(NodeReport(node.number, node.serial, (), dead=True))

    def _send(self, node: int, order: Mapping[str, object]) -> None:
        if self.nodes[node].is_open:
            self.hosts.tell(node, json.dumps(order).encode())

    def _take(self, node: _Node, said: Mapping[str, Any]) -> None:
        node.heard = time.monotonic()
        if "rendezvous" in said:
            attempt = self._orders.pop(said["attempt"], None)
            if attempt is not None:
                self._rendezvous = {attempt.number: said["rendezvous"]}
                self._send_start(attempt)
            return
        self._send(node.number, {"do": "renew", "at": said["at"]})
        node.serial += 1
        node.pids |= {entry["chip"]: entry["pid"] for entry in said["state"] if "pid" in entry}
        chips = tuple(_read_chip(entry) for entry in said["state"])
        self._inbox.append(NodeReport(node.number, node.serial, chips, said["stopped"]))

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
        Spec(attempt.plan, options, world=len(attempt.chips)).write(folder / "spec.json")

    def _send_start(self, attempt: Attempt) -> None:
        spec = str(self._attempt_folder(attempt.number) / "spec.json")
        machines = {chip: self.hosts.machine(chip // self.node) for chip in attempt.chips}
        crowd = list(machines.values())
        for number in sorted({chip // self.node for chip in attempt.chips}):
            machine = self.hosts.machine(number)
            first = next(n.chips.start for n in self.nodes if self.hosts.machine(n.number) == machine)
            ranks = {
                str(chip): {"rank": rank, "place": chip - first, "crowd": crowd.count(machine)}
                for rank, chip in enumerate(attempt.chips)
                if chip // self.node == number
            }
            order = {
                "do": "start", "attempt": attempt.number, "spec": spec, "ranks": ranks,
                "rendezvous": self._rendezvous[attempt.number], "step": -1 if attempt.resume is None else attempt.resume,
            }  # fmt: skip
            self._send(number, order)


def _read_chip(entry: Mapping[str, Any]) -> ChipReport:
    if "attempt" not in entry:
        return ChipReport(entry["chip"], healthy=True)
    worker = WorkerReport(entry["attempt"], entry["step"], entry["silence"], entry["code"], entry["message"])
    return ChipReport(entry["chip"], healthy=True, worker=worker)
