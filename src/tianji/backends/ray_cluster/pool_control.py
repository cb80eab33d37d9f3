"""A pool for people without a cluster: start a node of Ray on this machine, say what the pool holds, and end what was started.

`ray stop` would end every Ray of the machine, other people's too, so it is never called: all that is started here is one
process group, and that group is ended.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tianji.backends.ray_cluster.connection import (
    STORE,
    answers,
    check_ray,
    connect,
    count_cpus,
    is_loopback,
    loopback_environment,
    quiet_environment,
    temporary_folder,
)
from tianji.backends.ray_cluster.placement import PLACE, find_unit
from tianji.backends.ray_cluster.pool_state import PoolState, find_state, start_of, state_path, write_state
from tianji.errors import FormatError, RunError

STARTED = "Ray runtime started"
OWN_PORTS = (range(10001, 20000), range(8265, 8266), range(52365, 52366))
"""What Ray keeps for its clients and workers, its dashboard and the dashboard's agent: it refuses them for a head."""
START, DRAIN = 90.0, 10.0
"""Seconds that a node has to start, and to end by itself before it is killed."""


@dataclass(frozen=True, slots=True)
class Node:
    """One host of a pool; one that does not answer is not alive, though Ray may take a while to call it dead."""

    host: str
    is_alive: bool
    chips: int
    cpus: int
    place: str


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """What a pool holds now."""

    address: str
    nodes: tuple[Node, ...]
    free: int
    """Chips that no run holds."""

    @property
    def chips(self) -> int:
        """Chips of the living nodes."""
        return sum(node.chips for node in self.nodes if node.is_alive)


def start_pool(
    chips: int | None = None, cpus: int | None = None, host: str = "127.0.0.1", port: int = 6379, join: str = "",
    token_file: str = "", place: str = "",
) -> PoolState:  # fmt: skip
    """Start this machine's node: the head of a new pool on ``host:port``, or with ``join`` a node of the pool there.

    ``token_file`` holds what a node must know to join. Raises MissingExtraError without Ray, and RunError when a pool is up
    here already, the port is taken, nothing answers at ``join``, or Ray does not start.
    """
    check_ray()
    _refuse_second()
    if join:
        if is_loopback(join):
            raise RunError(
                f"--join {join}: a pool at that address listens to its own host alone; bring its head up with "
                "`tianji pool up --host ADDRESS`, and join it there"
            )
        if not answers(join):
            raise RunError(
                f"no pool answers at {join}; is `tianji pool up --host ADDRESS` done there, and the port open?"
            )
        if not Path(token_file).is_file():
            raise FormatError(
                f"--token {token_file or '(missing)'}: expected the token file of the pool's head, copied to this machine"
            )
    else:
        check_port(host, port)
    offered = _count_chips() if chips is None else chips
    folder = temporary_folder()
    token = folder / "token"
    token.touch(0o600)
    token.write_text(Path(token_file).read_text(encoding="utf-8").strip() if join else secrets.token_hex(32))
    address = join or f"{host}:{port}"
    words = ["--address", join] if join else ["--head", "--port", str(port), "--include-dashboard", "false"]
    words += [
        "--block", "--disable-usage-stats", "--include-log-monitor", "false", "--node-ip-address", host, "--temp-dir",
        str(folder), "--object-store-memory", str(STORE), "--num-cpus", str(count_cpus() if cpus is None else cpus),
        "--resources", json.dumps({"chip": offered}), *(("--labels", f"{PLACE}={place}") if place else ()),
    ]  # fmt: skip
    process = _launch(words, folder, token, {} if join else loopback_environment(address))
    state = PoolState(
        "node" if join else "head", address, host, offered, process.pid, start_of(process.pid), str(folder), str(token)
    )
    try:
        _await_start(process, folder / "log")
        write_state(state)
    except BaseException:
        _end_group(state)
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return state


def _refuse_second() -> None:
    state = find_state()
    if state is None:
        return
    state.require_alive()
    raise RunError(f"a pool is up here already ({state.role} at {state.address}); `tianji pool down` ends it")


def check_port(host: str, port: int) -> None:
    """Raise RunError unless a head can listen at ``host:port``."""
    if port < 1 or any(port in ports for ports in OWN_PORTS):
        raise RunError(
            f"--port {port}: expected one from 1 to 65535 that Ray does not keep for itself (8265, 10001 to 19999, 52365)"
        )
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trying:
            trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trying.bind((host, port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RunError(
            f"{host}:{port} cannot be had ({reason}); take another --port, and for --host an address of this machine"
        ) from None


def _count_chips() -> int:
    """Return this machine's accelerators, or where there are none its CPUs."""
    from importlib.util import find_spec

    if find_spec("torch") is not None:
        from tianji.backends.trainer.accelerator import count_chips

        return count_chips() or count_cpus()
    return count_cpus()


def _launch(words: list[str], folder: Path, token: Path, more: Mapping[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", *words]
    environment = {k: v for k, v in os.environ.items() if k not in ("RAY_ADDRESS", "RAY_AUTH_TOKEN")}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**environment, **quiet_environment(token_file=str(token)), **more},
        )  # fmt: skip


def _await_start(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        text = log.read_text(encoding="utf-8", errors="replace")
        if STARTED in text:
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    lines = [line for line in text.splitlines() if line.strip()]
    raise RunError(f"Ray's node did not start: {lines[-1] if lines else 'it says nothing'}")


def read_status() -> PoolStatus:
    """Return what the pool that this machine belongs to, or that RAY_ADDRESS names, holds now.

    Raises RunError when there is none, or it does not answer.
    """
    if not os.environ.get("RAY_ADDRESS") and find_state() is None:
        raise RunError(f"no pool is up here ({state_path()} does not exist); start one with `tianji pool up`")
    with connect() as ray:
        listed = ray.nodes()
        unit = find_unit(listed)[0]
        nodes = tuple(
            Node(
                node["NodeManagerAddress"],
                node["Alive"] and answers(f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"),
                int(node["Resources"].get(unit, 0)),
                int(node["Resources"].get("CPU", 0)),
                (node.get("Labels") or {}).get(PLACE, ""),
            )
            for node in listed
        )
        # Ray counts a silent host's chips in until it calls the host dead.
        free = min(int(ray.available_resources().get(unit, 0)), sum(node.chips for node in nodes if node.is_alive))
        address = str(ray.get_runtime_context().gcs_address)
    return PoolStatus(address, tuple(sorted(nodes, key=lambda n: (not n.is_alive, n.host))), free)


def end_pool() -> PoolState:
    """End what :func:`start_pool` started on this machine, and nothing else; return what that was.

    A state whose process is gone is cleared. Raises RunError when nothing was started here.
    """
    state = find_state()
    if state is None:
        raise RunError(f"no pool is up here ({state_path()} does not exist)")
    _end_group(state)
    shutil.rmtree(state.folder, ignore_errors=True)
    state_path().unlink(missing_ok=True)
    return state


def _end_group(state: PoolState) -> None:
    """Ask the leader to end its node, and after a while kill its process group; another process of the same id is left alone."""
    if not state.is_alive:
        return
    with suppress(ProcessLookupError):
        os.kill(state.pid, signal.SIGTERM)
    deadline = time.monotonic() + DRAIN
    while state.is_alive and time.monotonic() < deadline:
        with suppress(ChildProcessError):
            os.waitpid(state.pid, os.WNOHANG)
        time.sleep(0.05)
    with suppress(ProcessLookupError):
        os.killpg(state.pid, signal.SIGKILL)
