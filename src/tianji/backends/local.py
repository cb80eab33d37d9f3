"""The local engine: all ranks on this machine, as processes under a supervisor of our own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tianji.backends.journal import read_journal
from tianji.backends.machine import check_extra, check_inputs, check_machine, check_port, make_folder
from tianji.backends.measured import measure
from tianji.backends.options import RunOptions
from tianji.backends.spec import Spec
from tianji.backends.support import check_support
from tianji.errors import RunError
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import write_plan
from tianji.result import Result, write_result
from tianji.units import MB

KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2**31),
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
    "MALLOC_TOP_PAD_": str(2**26),
}
"""Have the C library keep what was freed: on CPUs it would give each large tensor back, and the next one costs page faults."""
LOG_TAIL = 400
"""Characters of a failed worker's log that a message shows."""
FULL = MB
"""A disk with less than this free is full."""


class LocalEngine:
    """Starts one agent in a process group of its own, which forks the workers; no process outlives :meth:`run`."""

    name = "local"

    def check(self, plan: Plan, options: RunOptions) -> None:
        """Raise InputError unless the plan can run on this machine."""
        check_support(plan)
        check_extra()
        check_inputs(plan, options)
        check_machine(plan, options)
        check_port(options.port)

    def run(self, plan: Plan, options: RunOptions) -> Result:
        """Run a plan and return the measured result, which is written to ``options.out`` too.

        Raises what :meth:`check` raises, and RunError when the port is taken or a worker fails.
        """
        self.check(plan, options)
        options = prepare_run(plan, options)
        self._supervise(Path(options.out))
        return finish_run(plan, options, self.name)

    def _supervise(self, folder: Path) -> None:
        agent = start_agent(folder / "spec.json")
        try:
            said, _ = agent.communicate()
        finally:
            # The agent is gone or must go, and its workers with it, also when a person stops us.
            end_agent(agent)
        if agent.returncode:
            raise RunError(explain_failure(folder, last_object(said), agent.returncode))


def prepare_run(plan: Plan, options: RunOptions) -> RunOptions:
    """Make the folder of a run and write down what is to be done; return the options with absolute paths.

    Raises RunError when the folder cannot be had.
    """
    folder = Path(options.out).resolve()
    options = replace(
        options,
        out=str(folder),
        data=_absolute(options.data),
        resume_from=_absolute(options.resume_from),
        checkpoints=_absolute(options.checkpoints),
    )
    make_folder(folder)
    write_plan(plan, folder / "plan.json")
    Spec(plan, options, world=plan.strategy.chips, count=plan.strategy.chips).write(folder / "spec.json")
    return options


def finish_run(plan: Plan, options: RunOptions, engine: str) -> Result:
    """Return the measured result of a run that is done, written to its folder too."""
    result = measure(plan, options, engine)
    write_result(result, Path(options.out) / "result.json")
    return result


def _absolute(path: str) -> str:
    return str(Path(path).resolve()) if path else ""


def start_agent(spec: Path, module: str = "tianji.backends.agent") -> subprocess.Popen[str]:
    """Start the agent of a spec as the leader of a process group of its own; ``module`` says what its ranks do.

    The kernel ties the agent to the calling thread: call this from one that lives as long as the agent should.
    """
    command = [sys.executable, "-m", module, str(spec)]
    quiet = {"TORCH_CPP_LOG_LEVEL": "ERROR", "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True, env={**KEEP_MEMORY, **os.environ, **quiet}
    )


def end_agent(agent: subprocess.Popen[str]) -> None:
    """Kill an agent's whole process group; one that has ended already is left in peace."""
    with suppress(ProcessLookupError):
        os.killpg(agent.pid, signal.SIGKILL)
    agent.wait()


def last_object(said: str) -> Mapping[str, Any]:
    """Return what an agent said last of all."""
    lines = [line for line in said.splitlines() if line.startswith("{")]
    found: Mapping[str, Any] = json.loads(lines[-1]) if lines else {}
    return found


def explain_failure(folder: Path, failure: Mapping[str, Any], code: int) -> str:
    """Return what a run died of: ``failure`` is what its agent said, a message or a rank and its exit code."""
    if "message" in failure:
        return str(failure["message"])
    if "rank" not in failure:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"the agent {how} before the run was done; what was measured so far is in {folder}"
    rank, code = failure["rank"], failure["code"]
    log = folder / f"rank-{rank:05d}.log"
    if code < 0:
        hint = "; was it killed for lack of memory?" if -code == signal.SIGKILL else ""
        return f"rank {rank} was ended by signal {-code} ({signal.Signals(-code).name}){hint}; its log is {log}"
    return f"rank {rank} failed: {_reason(folder, rank, log)}; its log is {log}"


def _reason(folder: Path, rank: int, log: Path) -> str:
    journal = folder / f"rank-{rank:05d}.jsonl"
    events = read_journal(journal) if journal.exists() else []
    messages = [str(e["message"]) for e in events if e["event"] == "failed"]
    tail = log.read_text(encoding="utf-8", errors="replace").strip()[-LOG_TAIL:] if log.exists() else ""
    if not messages and not tail and shutil.disk_usage(folder).free < FULL:
        return f"the disk of {folder} is full, and took no message either; free some space and run again"
    return messages[-1] if messages else (tail.splitlines()[-1] if tail else "no message")
