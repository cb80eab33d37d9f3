"""The MindSpore engine: ranks on this machine's CPUs, in MindSpore's own environment, under our own watch.

``msrun`` would start the same processes, but it puts each rank in a session of its own, so that a killed launcher leaves ranks
behind, and it learns of a rank's death only when the scheduler has missed its heartbeats for half a minute.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tianji.backends.local import explain_failure, finish_run, prepare_run
from tianji.backends.machine import check_extra, check_inputs, check_machine
from tianji.backends.mindspore.environment import find_python
from tianji.backends.mindspore.support import check_limits
from tianji.backends.mindspore.weights import WEIGHTS, draw_carried, write_carried
from tianji.backends.options import RunOptions
from tianji.errors import RunError
from tianji.parallel.plan import Plan
from tianji.result import Result

SCHEDULER = -1
GRACE = 0.5
"""Seconds that the other ranks have to notice a failure and write down what they know."""
HOST = "127.0.0.1"


@dataclass
class MindSporeEngine:
    """Starts MindSpore's scheduler and the ranks in one process group; no process outlives :meth:`run`."""

    probe: bool = False
    """Leave the logits and gradients of the first step in ``rank-N.npz``, by the weights' names."""
    name: str = "mindspore"

    def check(self, plan: Plan, options: RunOptions) -> None:
        """Raise InputError unless the plan can run on MindSpore on this machine."""
        check_limits(plan, options)
        check_extra()  # torch draws the first weights
        find_python()
        check_inputs(plan, options)
        check_machine(plan, replace(options, device="cpu"))

    def run(self, plan: Plan, options: RunOptions) -> Result:
        """Run a plan and return the measured result, which is written to ``options.out`` too.

        There is no trace, so the result has no breakdown. Raises what :meth:`check` raises, and RunError when the port is taken
        or a rank fails.
        """
        self.check(plan, options)
        port = _claim_port(options.port) if plan.strategy.chips > 1 else 0
        options = prepare_run(plan, replace(options, trace=False, device="cpu", port=port))
        folder = Path(options.out)
        write_carried(draw_carried(plan.job.model, options.seed), folder / WEIGHTS)
        self._supervise(folder, plan.strategy.chips, options)
        return finish_run(plan, options, self.name)

    def _supervise(self, folder: Path, world: int, options: RunOptions) -> None:
        crew = _Crew(folder, find_python(), _variables(world, options, probe=self.probe))
        try:
            if world > 1:
                crew.start(SCHEDULER, {"MS_ROLE": "MS_SCHED"})
            for rank in range(world):
                crew.start(rank, {"MS_ROLE": "MS_WORKER", "MS_NODE_ID": str(rank)} if world > 1 else {})
            failed = crew.wait()
        finally:
            crew.end()  # the scheduler too, which would wait on; and everyone when a person stops us
        if failed is not None:
            rank, code = failed
            raise RunError(explain_failure(folder, {"rank": rank, "code": code}, code))


class _Crew:
    """The processes of one run, all in the process group of the first."""

    def __init__(self, folder: Path, python: Path, variables: Mapping[str, str]) -> None:
        self.folder, self.python, self.variables = folder, python, variables
        self.processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, rank: int, variables: Mapping[str, str]) -> None:
        name = "scheduler" if rank == SCHEDULER else f"rank-{rank:05d}"
        leader = next(iter(self.processes.values()), None)
        command = [
            str(self.python),
            "-P",
            "-m",
            "tianji.backends.mindspore.worker",
            str(self.folder / "spec.json"),
            str(rank),
        ]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[rank] = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder,
                process_group=leader.pid if leader else 0, env={**os.environ, **self.variables, **variables},
            )  # fmt: skip

    def wait(self) -> tuple[int, int] | None:
        """Wait until all ranks are done; at the first failure return the rank and its exit code."""
        ranks = {rank: process for rank, process in self.processes.items() if rank != SCHEDULER}
        while ranks:
            for rank, process in list(ranks.items()):
                code = process.poll()
                if code:
                    time.sleep(GRACE)
                    return rank, code
                if code == 0:
                    del ranks[rank]
            time.sleep(0.02)
        return None

    def end(self) -> None:
        """Kill what is left of the group, and wait for it."""
        if self.processes:
            with suppress(ProcessLookupError):
                os.killpg(next(iter(self.processes.values())).pid, signal.SIGKILL)
        for process in self.processes.values():
            process.wait()


def _variables(world: int, options: RunOptions, *, probe: bool) -> dict[str, str]:
    threads = max((os.cpu_count() or 1) // world, 1)
    found = {"OMP_NUM_THREADS": str(threads), "GLOG_v": "3", "PYTHONWARNINGS": "ignore", "PYTHONPATH": ""}
    if world > 1:
        found |= {"MS_WORKER_NUM": str(world), "MS_SCHED_HOST": HOST, "MS_SCHED_PORT": str(options.port)}
        found["MS_TOPO_TIMEOUT"] = str(round(options.timeout))  # MindSpore's own is half an hour
    return found | ({"TIANJI_PROBE": "1"} if probe else {})


def _claim_port(port: int) -> int:
    """Return a port that is free now: the one that is named, or any.

    Raises RunError when the one that is named is taken.
    """
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise RunError(
                f"port {port} cannot be had ({error.strerror}); leave --port out to take a free one"
            ) from None
        return int(probe.getsockname()[1])
