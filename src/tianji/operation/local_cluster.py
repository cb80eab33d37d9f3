"""The cluster on this machine: one agent process for each node, spoken to over pipes."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tianji.backends.checkpoints import find_newest, step_folder, step_of
from tianji.backends.options import RunOptions
from tianji.backends.spec import Spec
from tianji.operation.reports import Attempt, ChipReport, NodeReport, WorkerReport
from tianji.units import Seconds


class WallClock:
    """Seconds since it was made, after ``begun`` seconds of earlier operations."""

    def __init__(self, begun: Seconds = 0.0) -> None:
        self._offset = begun - time.monotonic()

    def now(self) -> Seconds:
        """Return the time."""
        return time.monotonic() + self._offset


class FolderStore:
    """The checkpoints in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def newest(self) -> int | None:
        """Return the step of the newest complete checkpoint, or None."""
        path = find_newest(self.folder)
        return None if path is None else step_of(path)


@dataclass
class _Node:
    number: int
    process: subprocess.Popen[bytes] | None = None
    back_at: Seconds = 0.0
    serial: int = 0
    pending: bytes = b""
    pids: dict[int, int] = field(default_factory=dict)
    """Chip: the process of its last worker."""


class LocalCluster:
    """Nodes of ``node`` chips each, as processes; ``folder`` gets one folder for each attempt.

    An agent that dies or falls silent for ``silence`` is killed with all of its workers, and comes back after ``repair``.
    """

    lease: Seconds = float("inf")
    """Silence proves nothing: a silent agent is killed, the kernel kills its workers with it, and then it is called dead."""

    def __init__(
        self, nodes: int, node: int, folder: Path, options: RunOptions, repair: Seconds = 600.0, silence: Seconds = 10.0
    ) -> None:
        self.node, self.folder, self.options, self.repair, self.silence = node, folder, options, repair, silence
        self.nodes = [_Node(i) for i in range(nodes)]
        self._heard = [0.0] * nodes
        self._selector = selectors.DefaultSelector()
        self._inbox: list[NodeReport] = []
        self._orders: dict[int, Attempt] = {}
        """Attempts whose store is not yet known."""
        self._rendezvous: dict[int, str] = {}
        for each in self.nodes:
            self._spawn(each)

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
        elif attempt.number not in self._orders:
            self._orders[attempt.number] = attempt
            self._prepare(attempt)
            self._send(self.nodes[attempt.chips[0] // self.node], {"do": "keep", "attempt": attempt.number})

    def stop(self, attempt: int) -> None:
        """Have all workers of attempts up to this one killed."""
        self._orders = {n: a for n, a in self._orders.items() if n > attempt}
        for node in self.nodes:
            self._send(node, {"do": "stop", "attempt": attempt})

    # --- the loop ---------------------------------------------------------------------------------------------

    def listen(self, timeout: Seconds) -> None:
        """Wait until something is heard, at most so long."""
        for key, _ in self._selector.select(timeout):
            self._read(key.data)

    def close(self) -> None:
        """End all agents, and their workers with them."""
        for node in self.nodes:
            self._end(node)
        self._selector.close()

    def pids(self) -> Mapping[int, int]:
        """Return the process of the last worker of each chip."""
        return {chip: pid for node in self.nodes for chip, pid in node.pids.items()}

    def agents(self) -> Mapping[int, int]:
        """Return the process of the agent of each node that has one."""
        return {node.number: node.process.pid for node in self.nodes if node.process}

    # --- nodes ------------------------------------------------------------------------------------------------

    def _spawn(self, node: _Node) -> None:
        command = [sys.executable, "-m", "tianji.operation.node_agent", str(node.number * self.node), str(self.node)]
        quiet = {"TORCH_CPP_LOG_LEVEL": "ERROR", "PYTHONWARNINGS": "ignore", "OMP_WAIT_POLICY": "PASSIVE"}
        with (self.folder / f"agent-{node.number:03d}.log").open("ab") as log:
            node.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
                env={**os.environ, **quiet}, bufsize=0,
            )  # fmt: skip
        node.pending = b""
        self._heard[node.number] = time.monotonic() + 120.0  # it imports torch first
        assert node.process.stdout is not None
        os.set_blocking(node.process.stdout.fileno(), False)
        self._selector.register(node.process.stdout, selectors.EVENT_READ, node)

    def _check_agents(self) -> None:
        """Declare silent agents dead, and bring dead ones back when they are repaired."""
        now = time.monotonic()
        for node in self.nodes:
            if node.process is None and now >= node.back_at:
                self._spawn(node)
            elif node.process and (node.process.poll() is not None or now - self._heard[node.number] > self.silence):
                self._end(node)
                node.serial += 1
                self._inbox.append(NodeReport(node.number, node.serial, (), dead=True))
                node.back_at = now + self.repair

    def _end(self, node: _Node) -> None:
        if node.process is None:
            return
        assert node.process.stdout is not None and node.process.stdin is not None
        self._selector.unregister(node.process.stdout)
        with suppress(ProcessLookupError):
            os.killpg(node.process.pid, signal.SIGKILL)
        node.process.wait()
        # Workers are of the agent's process group; they are gone when nobody is left in it.
        while _exists(node.process.pid):
            time.sleep(0.005)
        node.process.stdout.close()
        with suppress(BrokenPipeError):
            node.process.stdin.close()
        node.process = None

    def _send(self, node: _Node, order: Mapping[str, object]) -> None:
        if node.process and node.process.stdin:
            with suppress(BrokenPipeError):
                node.process.stdin.write(json.dumps(order).encode() + b"\n")

    def _read(self, node: _Node) -> None:
        assert node.process is not None and node.process.stdout is not None
        chunk = node.process.stdout.read(1 << 20)
        if not chunk:  # it has closed its end: the next look finds it dead
            self._heard[node.number] = float("-inf")
            return
        *lines, node.pending = (node.pending + chunk).split(b"\n")
        for line in lines:
            self._take(node, json.loads(line))

    def _take(self, node: _Node, said: Mapping[str, Any]) -> None:
        self._heard[node.number] = time.monotonic()
        if "rendezvous" in said:
            attempt = self._orders.pop(said["attempt"], None)
            if attempt is not None:
                self._rendezvous = {attempt.number: said["rendezvous"]}
                self._send_start(attempt)
            return
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
        for number in sorted({chip // self.node for chip in attempt.chips}):
            ranks = {str(c): rank for rank, c in enumerate(attempt.chips) if c // self.node == number}
            order = {
                "do": "start", "attempt": attempt.number, "spec": spec, "ranks": ranks,
                "rendezvous": self._rendezvous[attempt.number], "step": -1 if attempt.resume is None else attempt.resume,
            }  # fmt: skip
            self._send(self.nodes[number], order)


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _read_chip(entry: Mapping[str, Any]) -> ChipReport:
    if "attempt" not in entry:
        return ChipReport(entry["chip"], healthy=True)
    worker = WorkerReport(entry["attempt"], entry["step"], entry["silence"], entry["code"], entry["message"])
    return ChipReport(entry["chip"], healthy=True, worker=worker)
