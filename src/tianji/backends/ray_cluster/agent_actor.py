"""A node's agent under an actor of Ray: started as its child, spoken to in lines, and ended for certain."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from tianji.backends.process_groups import end_group
from tianji.backends.ray_cluster.host_checks import Whereabouts, look_around
from tianji.backends.ray_cluster.interfaces import use_interface_of
from tianji.backends.ray_cluster.pool_state import start_of
from tianji.backends.runtime.hosts import AGENT, KEEP_MEMORY, QUIET


@dataclass(frozen=True, slots=True)
class AgentProcess:
    """An agent and where it is: enough to end it, and no stranger, from another process of its host."""

    ray_node: str
    """The host, by the name that Ray gave it when it joined."""
    actor: int
    """Process of the actor."""
    pid: int
    """Leader of the process group of agent and workers."""
    started: str
    """When it started, which no other process of the same id shares."""


class AgentActor:
    """One node of the pool; its calls run side by side in threads."""

    def __init__(self) -> None:
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._process: subprocess.Popen[bytes] | None = None

    def look_around(self, mark: str) -> Whereabouts:
        """Say where this actor is; ``mark`` is a file that the driver made in the folder of the job."""
        return look_around(_address(), mark)

    def open(self, setup: bytes, log: str, environment: Mapping[str, str]) -> AgentProcess:
        """Start the agent with its setup, as a line, and the address of this host."""
        use_interface_of(_address())
        started: Future[subprocess.Popen[bytes]] = Future()
        # The kernel ends an agent with the thread that started it: this one stays as long as there is something to hear.
        threading.Thread(target=self._keep, args=(setup, log, environment, started), daemon=True).start()
        self._process = started.result()
        return AgentProcess(_ray_node(), os.getpid(), self._process.pid, start_of(self._process.pid))

    def send(self, order: bytes) -> None:
        """Send a line to the agent; to one that is gone it is lost."""
        try:
            if self._process and self._process.stdin:
                self._process.stdin.write(order + b"\n")
        except BrokenPipeError:
            return

    def hear(self) -> list[bytes] | None:
        """Wait for lines of the agent and return them; None: it has ended, and nothing of it is left."""
        first = self._lines.get()
        if first is None:
            return None
        lines = [first]
        while not self._lines.empty():
            line = self._lines.get()
            if line is None:
                self._lines.put(None)
                break
            lines.append(line)
        return lines

    def clear(self, agent: AgentProcess) -> bool:
        """End what another actor left of an agent on this host; False: it was on another, which cannot be seen from here."""
        if agent.ray_node != _ray_node():
            return False
        if start_of(agent.pid) in (agent.started, ""):  # else the id is a stranger's, and the group long gone
            end_group(agent.pid)
        return True

    def _keep(
        self, setup: bytes, log: str, environment: Mapping[str, str], started: Future[subprocess.Popen[bytes]]
    ) -> None:
        # A host that does not see the folder of the job keeps the log to itself.
        path = Path(log) if Path(log).parent.is_dir() else Path(tempfile.mkstemp(prefix="tianji-agent-")[1])
        try:
            with path.open("ab") as file:
                process = subprocess.Popen(
                    [sys.executable, "-m", AGENT, setup.decode(), _address()], stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, stderr=file, start_new_session=True, bufsize=0,
                    env={**KEEP_MEMORY, **os.environ, **QUIET, **environment},
                )  # fmt: skip
        except BaseException as error:
            started.set_exception(error)
            return
        started.set_result(process)
        assert process.stdout is not None
        with process.stdout as lines:
            for line in iter(lines.readline, b""):
                self._lines.put(line)
        end_group(process.pid)
        process.wait()
        self._lines.put(None)


def _address() -> str:
    import ray

    return str(ray.util.get_node_ip_address())


def _ray_node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())
