"""The connection to a Ray cluster: the one that RAY_ADDRESS names, the pool that is up, or a private one that ends with us."""

from __future__ import annotations

import io
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tianji.backends.ray_cluster.pool_state import find_state
from tianji.errors import MissingExtraError, RunError
from tianji.units import MB

STORE = int(200 * MB)
"""Ray's store of objects in a node's memory: nothing large travels through it."""
PATIENCE = 5.0
"""Seconds for an address to answer at all, before Ray's own long retries begin."""


def check_ray() -> None:
    """Raise MissingExtraError unless Ray is installed."""
    if find_spec("ray") is None:
        raise MissingExtraError("ray", "Ray")


def quiet_environment(token: str = "", token_file: str = "") -> dict[str, str]:
    """Return the environment of a process of Ray: a token where one is given, and no report of usage to anybody."""
    environment = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_IMPORT_WARNING": "1"}
    # A chip is our own resource: Ray must not hide accelerators from workers that ask for none of its kind.
    environment["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    if token or token_file:
        environment["RAY_AUTH_MODE"] = "token"
        environment |= {"RAY_AUTH_TOKEN": token} if token else {"RAY_AUTH_TOKEN_PATH": token_file}
    return environment


def loopback_environment(address: str) -> dict[str, str]:
    """Return what keeps Ray on the loopback address, where a head's address is one; empty for any other.

    Without it Ray takes 127.0.0.1 for the address by which others reach this host, and listens there on all interfaces. The
    head and all who connect to it must agree; another node cannot join.
    """
    return {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"} if is_loopback(address) else {}


def is_loopback(address: str) -> bool:
    """Return whether ``host:port`` is of a host that only itself can reach, as Ray sees it: no other of 127.0.0.0/8 is."""
    return address.rpartition(":")[0] in ("127.0.0.1", "localhost")


@contextmanager
def connect(chips: int = 0, cpus: int = 1) -> Iterator[Any]:
    """Yield the module ``ray``, connected; a private cluster on this machine has that many chips and CPUs.

    Raises MissingExtraError without Ray, and RunError when a cluster is named that does not answer.
    """
    check_ray()
    address = os.environ.get("RAY_ADDRESS", "")
    state = find_state() if not address or is_loopback(address) else None
    if address:
        is_ours = state is not None and state.address == address
        os.environ.update(quiet_environment() | (loopback_environment(address) if is_ours else {}))
    elif state:
        state.require_alive()
        address = state.address
        os.environ.update(quiet_environment(token_file=state.token_file) | loopback_environment(address))
    else:
        os.environ.update(quiet_environment(token=secrets.token_hex(32)) | loopback_environment("127.0.0.1:0"))
    with _start_private(chips, cpus) if not address else _join(address) as ray:
        yield ray


@contextmanager
def _join(address: str) -> Iterator[Any]:
    if not answers(address):
        raise RunError(
            f"no Ray cluster answers at {address}; start one with `tianji pool up`, or correct RAY_ADDRESS or unset it"
        )
    with _connected({"address": address}) as ray:
        yield ray


@contextmanager
def _start_private(chips: int, cpus: int) -> Iterator[Any]:
    folder = tempfile.mkdtemp(prefix="tianji-")
    try:
        asked = {"num_cpus": cpus, "resources": {"chip": chips} if chips else None, "object_store_memory": STORE}
        with _connected({"address": "local", "include_dashboard": False, "_temp_dir": folder, **asked}) as ray:
            yield ray
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _connected(settings: dict[str, Any]) -> Iterator[Any]:
    import ray

    # Ray prints what happens to its workers on stdout, which is for one JSON document.
    with redirect_stdout(io.StringIO()):
        try:
            ray.init(log_to_driver=False, logging_level="CRITICAL", configure_logging=True, **settings)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise RunError(f"Ray could not be reached or started: {str(error).strip().splitlines()[0]}") from None
        try:
            yield ray
        finally:
            ray.shutdown()


def answers(address: str) -> bool:
    """Return whether anything listens at ``host:port``."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    with suppress(OSError, ValueError, OverflowError):
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
        return True
    return False


def count_cpus() -> int:
    """Return the CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def temporary_folder() -> Path:
    """Return a new folder with a path short enough for Ray's sockets."""
    return Path(tempfile.mkdtemp(prefix="tianji-"))
