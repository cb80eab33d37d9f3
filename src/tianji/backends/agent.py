"""The agent of one node: imports torch once, forks the node's workers, and ends them all as soon as one fails.

``python -m tianji.backends.agent SPEC`` trains; :func:`supervise` does the same for other work of ranks. It runs in a process
group of its own. When its parent dies the kernel kills it, and the workers with it, so that nothing is left behind. What it has
to say is one JSON line on stdout: the first worker that failed.
"""

from __future__ import annotations

import ctypes
import functools
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tianji.backends.journal import Journal
from tianji.backends.spec import Spec
from tianji.errors import RunError, TianjiError

PR_SET_PDEATHSIG = 1
QUIET = {"TORCH_CPP_LOG_LEVEL": "ERROR", "PYTHONWARNINGS": "ignore", "OMP_WAIT_POLICY": "PASSIVE"}
"""Environment of an agent that stays: it says nothing that nobody can act on, and waiting workers leave the cores to others."""
GRACE = 0.5
"""Seconds that the other workers have to notice a failure and write down what they know."""


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies (Linux; elsewhere the agent's own clean-up must do)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Crew:
    """The ranks of one node: ``count`` of them from ``first`` on, who write to the folder ``out``."""

    out: str
    first: int
    count: int
    rendezvous: str = ""
    """Where all ranks meet, ``tcp://host:port/name``; empty: at a store that the agent keeps on ``port``."""
    port: int = 0


Work = Callable[[int, str], None]
"""What one rank does: its place among the node's ranks and the rendezvous; an exception ends the run."""


def main(path: str) -> int:
    """Train the ranks of a spec to their end; return the exit code."""
    die_with_parent()
    spec = Spec.read(Path(path))
    import tianji.backends.trainer.loop  # noqa: F401  (before the forks, so that torch is imported once for all)

    options = spec.options
    return supervise(
        Crew(options.out, spec.first, spec.count, spec.rendezvous, options.port), functools.partial(_train, spec)
    )


def supervise(crew: Crew, work: Work) -> int:
    """Fork the ranks of a crew, let each do its work and watch over them; return the exit code."""
    pipes = [os.pipe() for _ in range(crew.count)]
    workers = {_fork(crew, work, i, pipes): crew.first + i for i in range(crew.count)}
    for read_end, _ in pipes:
        os.close(read_end)
    try:
        store, rendezvous = _keep_store(crew)
    except OSError as error:
        return _give_up(
            workers, RunError(f"port {crew.port} cannot be had ({error}); leave --port out to take a free one")
        )
    for _, write_end in pipes:
        os.write(write_end, rendezvous.encode())
        os.close(write_end)
    code = _watch(workers)
    del store
    return code


def _keep_store(crew: Crew) -> tuple[object, str]:
    """Return the store that the ranks meet at and its address; it is kept here, so that it outlives every rank."""
    if crew.rendezvous:
        return None, crew.rendezvous
    from torch.distributed import DistNetworkError, TCPStore

    try:
        store = TCPStore("127.0.0.1", crew.port, is_master=True, wait_for_workers=False)
    except DistNetworkError as error:
        raise OSError(str(error).splitlines()[0]) from None
    return store, f"tcp://127.0.0.1:{store.port}/run"


def _fork(crew: Crew, work: Work, index: int, pipes: list[tuple[int, int]]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        die_with_parent()
        log = os.open(
            Path(crew.out) / f"rank-{crew.first + index:05d}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644
        )
        os.dup2(log, 1)
        os.dup2(log, 2)
        for _, write_end in pipes:
            os.close(write_end)
        rendezvous = os.read(pipes[index][0], 4096).decode()
        code = _work(crew, work, index, rendezvous) if rendezvous else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not sys.exit: the libraries' own clean-up threads abort some processes after correct results.
        os._exit(code)


def _work(crew: Crew, work: Work, index: int, rendezvous: str) -> int:
    try:
        work(index, rendezvous)
    except Exception as error:
        traceback.print_exc()
        message = str(error) if isinstance(error, TianjiError) else f"{type(error).__name__}: {error}"
        Journal(Path(crew.out), crew.first + index).write("failed", message=message[:2000])
        return 1
    return 0


def _train(spec: Spec, index: int, rendezvous: str) -> None:
    from tianji.backends.worker import work

    rank = spec.first + index
    work(spec.plan, rank, spec.world, rendezvous, spec.options, local_rank=index, local_size=spec.count)


def _watch(workers: dict[int, int]) -> int:
    """Wait for all workers; at the first failure give the others a moment, then kill them, and say who it was."""
    while workers:
        pid, status = os.waitpid(-1, 0)
        rank = workers.pop(pid, None)
        code = os.waitstatus_to_exitcode(status)
        if rank is not None and code:
            print(json.dumps({"rank": rank, "code": code}), flush=True)
            _end(workers, GRACE)
            return 1
    return 0


def _give_up(workers: dict[int, int], error: RunError) -> int:
    print(json.dumps({"message": str(error)}), flush=True)
    _end(workers, 0.0)
    return 1


def _end(workers: dict[int, int], grace: float) -> None:
    deadline = time.monotonic() + grace
    while workers and time.monotonic() < deadline:
        pid, _ = os.waitpid(-1, os.WNOHANG)
        workers.pop(pid, None)
        time.sleep(0.02)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    for pid in workers:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
