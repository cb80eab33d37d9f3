"""Where the agents of the nodes run: what a supervisor needs of any machines, and this machine as the host of all nodes."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tianji.backends.process_groups import end_group
from tianji.backends.runtime.messages import NodeSetup, Order, RankSeat, encode
from tianji.units import Seconds

AGENT = "tianji.backends.runtime.agent"
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2**31),
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
    "MALLOC_TOP_PAD_": str(2**26),
}
"""Have the C library keep what was freed: on CPUs it would give each large tensor back, and the next one costs page faults."""
QUIET = {"TORCH_CPP_LOG_LEVEL": "ERROR", "PYTHONWARNINGS": "ignore"}
"""Nothing is printed that nobody can act on."""
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Workers that wait leave the cores to others: for ranks that share them with other work for a long time."""

THIS = "this"
"""The machine of all nodes where they are processes of one."""
Line = tuple[int, bytes | None]
"""A node, and a report of its agent; None: nothing of the agent is left."""


class AgentHosts(Protocol):
    """The machines of the nodes, as a supervisor sees them."""

    lease: Seconds
    """An agent none of whose reports of so many seconds was acknowledged has ended its ranks; infinite where none needs to."""

    def machine(self, node: int) -> str:
        """Return the name of the machine of a node; nodes of one machine share its cores and accelerators."""

    def open(self, node: int, setup: NodeSetup) -> None:
        """Start the agent of a node."""

    def send(self, node: int, order: Order) -> None:
        """Send an order to the agent of a node. May get lost."""

    def hear(self, timeout: Seconds) -> Sequence[Line]:
        """Return the reports that came, waiting at most so long for the first."""

    def end(self, node: int) -> None:
        """Have the agent of a node killed with all of its ranks; :meth:`hear` says when they are certainly gone."""

    def close(self) -> None:
        """End all agents."""

    def agents(self) -> Mapping[int, int]:
        """Return the process of the agent of each node that has one."""

    def describe_loss(self, node: int) -> str:
        """Say how an agent was lost that nobody ended, and what to look at."""

    def is_reachable(self, node: int) -> bool:
        """Whether the machine of a node still answers."""


def seat_ranks(hosts: AgentHosts, chips: Sequence[int], node: int, nodes: int) -> dict[int, tuple[RankSeat, ...]]:
    """Return the seats of the ranks on some chips, by node; ``nodes`` nodes of ``node`` chips are there in all."""
    machines = [hosts.machine(number) for number in range(nodes)]
    crowd = [machines[chip // node] for chip in chips]
    seats: dict[int, tuple[RankSeat, ...]] = {}
    for rank, chip in enumerate(chips):
        machine = machines[chip // node]
        seat = RankSeat(chip, rank, chip - machines.index(machine) * node, crowd.count(machine))
        seats[chip // node] = (*seats.get(chip // node, ()), seat)
    return seats


@dataclass
class _Agent:
    node: int
    process: subprocess.Popen[bytes]
    pending: bytes = b""


class LocalHosts:
    """This machine: agents are processes in groups of their own, spoken to over pipes.

    What an agent complains of goes to a log in ``folder``. ``environment`` goes before this process's own variables, and
    ``python`` is the interpreter that has what the ranks need. Derived classes may start agents by another command.
    """

    lease: Seconds = float("inf")
    """A silent agent is killed, and the kernel kills its ranks with it: it need not end them by itself."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str] | None = None, python: Sequence[str] = (sys.executable,)
    ) -> None:
        self.folder, self.python = folder, tuple(python)
        self.environment = {**KEEP_MEMORY, **os.environ, **QUIET, **(environment or {})}
        self._agents: dict[int, _Agent] = {}
        self._codes: dict[int, int] = {}
        self._selector = selectors.DefaultSelector()
        self._lines: list[Line] = []

    def machine(self, node: int) -> str:
        """Return the name of the machine of a node."""
        return THIS

    def address(self, node: int) -> str:
        """Return the address at which the ranks of a node are reached."""
        return "127.0.0.1"

    def command(self, node: int, words: Sequence[str]) -> Sequence[str]:
        """Return the command that runs the words of an agent."""
        return words

    def open(self, node: int, setup: NodeSetup) -> None:
        """Start the agent of a node.

        The kernel ties the agent to the calling thread: call this from one that lives as long as the agent should.
        """
        words = [*self.python, "-m", AGENT, encode(setup).decode(), self.address(node)]
        with self._log(node).open("ab") as log:
            process = subprocess.Popen(
                self.command(node, words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                start_new_session=True, env=self.environment, bufsize=0,
            )  # fmt: skip
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._agents[node] = agent = _Agent(node, process)
        self._selector.register(process.stdout, selectors.EVENT_READ, agent)

    def send(self, node: int, order: Order) -> None:
        """Send an order to the agent of a node, if there is one."""
        agent = self._agents.get(node)
        if agent and agent.process.stdin:
            with suppress(BrokenPipeError):
                agent.process.stdin.write(encode(order) + b"\n")

    def hear(self, timeout: Seconds) -> Sequence[Line]:
        """Return the reports that came, waiting at most so long for the first."""
        for agent in list(self._agents.values()):
            if agent.process.poll() is not None:
                self.end(agent.node)
        for key, _ in self._selector.select(0.0 if self._lines else timeout):
            self._read(key.data)
        lines, self._lines = self._lines, []
        return lines

    def end(self, node: int) -> None:
        """Kill the agent of a node and its ranks, which are of its process group."""
        agent = self._agents.pop(node, None)
        if agent is None:
            return
        process = agent.process
        assert process.stdout is not None and process.stdin is not None
        self._selector.unregister(process.stdout)
        end_group(process.pid)
        self._codes[node] = process.wait()
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.close()
        self._lines.append((node, None))

    def close(self) -> None:
        """End all agents; logs without a word are removed."""
        for node in [*self._agents]:
            self.end(node)
        self._selector.close()
        for node in self._codes:
            if self._log(node).exists() and not self._log(node).stat().st_size:
                self._log(node).unlink()

    def agents(self) -> Mapping[int, int]:
        """Return the process of the agent of each node that has one."""
        return {node: agent.process.pid for node, agent in self._agents.items()}

    def describe_loss(self, node: int) -> str:
        """Say how an agent was lost that nobody ended, and what to look at."""
        code = self._codes.get(node, 0)
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"its agent {how}; the agent's log is {self._log(node)}"

    def is_reachable(self, node: int) -> bool:
        """Whether the machine of a node still answers."""
        return True

    def _log(self, node: int) -> Path:
        return self.folder / f"agent-{node:03d}.log"

    def _read(self, agent: _Agent) -> None:
        assert agent.process.stdout is not None
        chunk = agent.process.stdout.read(1 << 20)
        if not chunk:
            self.end(agent.node)
            return
        *lines, agent.pending = (agent.pending + chunk).split(b"\n")
        self._lines += [(agent.node, line) for line in lines]
