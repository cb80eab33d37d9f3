"""This machine as the host of all nodes: their agents are processes, spoken to over pipes."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tianji.backends.agent import QUIET
from tianji.backends.process_groups import end_group
from tianji.units import Seconds


@dataclass
class _Agent:
    node: int
    process: subprocess.Popen[bytes]
    pending: bytes = b""


class LocalHosts:
    """Agents in process groups of their own; each writes what it has to complain of to a log in ``folder``."""

    lease: Seconds = float("inf")
    """A silent agent is killed, and the kernel kills its workers with it: it need not end them by itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._agents: dict[int, _Agent] = {}
        self._selector = selectors.DefaultSelector()
        self._words: list[tuple[int, bytes | None]] = []

    def machine(self, node: int) -> str:
        """Return the name of the machine of a node."""
        return "this"

    def open(self, node: int, words: Sequence[str]) -> None:
        """Start the agent of a node."""
        with (self.folder / f"agent-{node:03d}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *words, "127.0.0.1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                start_new_session=True, env={**os.environ, **QUIET}, bufsize=0,
            )  # fmt: skip
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._agents[node] = agent = _Agent(node, process)
        self._selector.register(process.stdout, selectors.EVENT_READ, agent)

    def tell(self, node: int, order: bytes) -> None:
        """Say a line to the agent of a node, if there is one."""
        agent = self._agents.get(node)
        if agent and agent.process.stdin:
            with suppress(BrokenPipeError):
                agent.process.stdin.write(order + b"\n")

    def hear(self, timeout: Seconds) -> list[tuple[int, bytes | None]]:
        """Return what agents said, by node, waiting at most so long for the first line; None: nothing of the agent is left."""
        for agent in list(self._agents.values()):
            if agent.process.poll() is not None:
                self.end(agent.node)
        for key, _ in self._selector.select(0.0 if self._words else timeout):
            self._read(key.data)
        found, self._words = self._words, []
        return found

    def end(self, node: int) -> None:
        """Kill the agent of a node and its workers, which are of its process group."""
        agent = self._agents.pop(node, None)
        if agent is None:
            return
        process = agent.process
        assert process.stdout is not None and process.stdin is not None
        self._selector.unregister(process.stdout)
        end_group(process.pid)
        process.wait()
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.close()
        self._words.append((node, None))

    def close(self) -> None:
        """End all agents."""
        for node in list(self._agents):
            self.end(node)
        self._selector.close()

    def agents(self) -> Mapping[int, int]:
        """Return the process of the agent of each node that has one."""
        return {node: agent.process.pid for node, agent in self._agents.items()}

    def _read(self, agent: _Agent) -> None:
        assert agent.process.stdout is not None
        chunk = agent.process.stdout.read(1 << 20)
        if not chunk:
            self.end(agent.node)
            return
        *lines, agent.pending = (agent.pending + chunk).split(b"\n")
        self._words += [(agent.node, line) for line in lines]
