"""One rank as an actor of Ray: it says where it is, keeps the store if it is the first, and trains by the trainer's own entry."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import traceback
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from tianji.backends.journal import Journal
from tianji.backends.machine import make_folder
from tianji.backends.options import RunOptions
from tianji.backends.ray_cluster.host_checks import Whereabouts, look_around
from tianji.errors import TianjiError
from tianji.parallel.plan import Plan


class RankActor:
    """One chip's worker; Ray runs it in a process of its own."""

    def __init__(self, rank: int, host: str) -> None:
        self.rank, self.host = rank, host
        self._store: object = None

    def look_around(self, mark: str) -> Whereabouts:
        """Say where this actor is; ``mark`` is a file that the driver made in the folder of the run."""
        return look_around(self.host, mark)

    def keep_store(self, port: int) -> str:
        """Open the store that the ranks meet at, on this node's own address; return where.

        Raises OSError when the port is taken.
        """
        _keep_quiet()
        from torch.distributed import DistNetworkError, TCPStore

        try:
            store = TCPStore(self.host, port, is_master=True, wait_for_workers=False)
        except DistNetworkError as error:
            raise OSError(str(error).splitlines()[0]) from None
        self._store = store
        return f"tcp://{self.host}:{store.port}/run"

    def train(
        self, plan: Plan, options: RunOptions, world: int, rendezvous: str, local_rank: int, local_size: int, apart: bool
    ) -> tuple[str, dict[str, bytes]]:  # fmt: skip
        """Train to the end; return a message where that failed, and with ``apart`` the files that were written.

        ``apart``: this host does not see the run's folder, so the rank writes to a folder of its own meanwhile.
        """
        _keep_quiet()
        from tianji.backends.worker import work  # imports torch, which looking around does without

        meet_at(self.host)
        if apart:
            options = replace(options, out=tempfile.mkdtemp(prefix="tianji-rank-"))
        folder, message = Path(options.out), ""
        _print_to(folder / f"rank-{self.rank:05d}.log")
        try:
            make_folder(folder) if apart else None
            work(plan, self.rank, world, rendezvous, options, local_rank=local_rank, local_size=local_size)
        except Exception as error:
            traceback.print_exc()
            message = str(error) if isinstance(error, TianjiError) else f"{type(error).__name__}: {error}"
            Journal(folder, self.rank).write("failed", message=message[:2000])
        sys.stdout.flush()
        sys.stderr.flush()
        if not apart:
            return message, {}
        written = {path.name: path.read_bytes() for path in folder.glob(f"rank-{self.rank:05d}.*")}
        shutil.rmtree(folder)
        return message, written


def _keep_quiet() -> None:
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # before torch is imported
    warnings.simplefilter("ignore")


def _print_to(path: Path) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)


def meet_at(host: str) -> None:
    """Have the collectives use the interface that carries this node's address, where nobody chose one."""
    name = interface_of(host)
    for library in ("GLOO", "NCCL", "HCCL") if name else ():
        os.environ.setdefault(f"{library}_SOCKET_IFNAME", name)


def interface_of(host: str) -> str:
    """Return the name of the interface with an IPv4 address; empty where none has it, or the system cannot tell."""
    if sys.platform != "linux":
        return ""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            request: Any = name.encode()[:15].ljust(256, b"\0")
            try:
                answer = fcntl.ioctl(asking.fileno(), 0x8915, request)  # SIOCGIFADDR
            except OSError:
                continue
            if socket.inet_ntoa(answer[20:24]) == host:
                return name
    return ""
