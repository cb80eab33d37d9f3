"""A job on a Ray cluster of two nodes: a rank is killed, then an actor of Ray, and the losses are those of an undisturbed run."""

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from processes import GUARD
from tianji.backends import run
from tianji.operation.event_log import Event, read_events

from ..backends.ray_cluster.clusters import Host, find_rank, free_port, parent_of
from .test_kills import CONFIG, QUICK, WHOLE, assert_nothing_saved_is_lost, losses, waiting_quietly

pytestmark = pytest.mark.slow

STEPS = 300
"""Enough that both kills find the job at work on a quiet machine: agents report once a second."""
JOB = ("--chips", "4", "--node", "2", "--batch", "8", "--seq", "32", "--precision", "fp32")
RATE = str(QUICK.learning_rate)
LEARNING = ("--steps", str(STEPS), "--checkpoint-every", "10", "--optimizer", "sgd", "--learning-rate", RATE)


def writers(folder: Path) -> list[int]:
    """The processes whose complaints go to a file in a folder: agents and ranks."""

    def writes_there(process: Path) -> bool:
        try:
            return os.readlink(process / "fd" / "2").startswith(f"{folder}/")
        except OSError:
            return False

    return [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and writes_there(p)]


class Watcher:
    """Follows an operation by what it writes."""

    def __init__(self, running: Any, out: Path) -> None:
        self.running, self.out = running, out

    def events(self) -> list[Event]:
        path = self.out / "events.jsonl"
        return read_events(path) if path.exists() else []

    def await_training(self, attempt: int) -> list[int]:
        """Wait until an attempt trains and has saved; return the processes of its ranks."""

        def is_on() -> bool:
            events = self.events()
            at = next((i for i, e in enumerate(events) if e["event"] == "training" and e["attempt"] == attempt), None)
            return at is not None and any(e["event"] == "checkpoint" for e in events[at:])

        self.await_(is_on)
        chips = next(e["chips"] for e in self.events() if e["event"] == "start" and e["attempt"] == attempt)
        return [find_rank(rank, self.out / "attempts" / f"{attempt:05d}") for rank in range(len(chips))]

    def await_(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + GUARD
        while not condition():
            assert time.monotonic() < deadline
            assert self.running.poll() is None, self.running.communicate()
            time.sleep(0.05)


def test_a_killed_rank_and_a_killed_actor_are_answered(tmp_path: Path) -> None:
    config, out = tmp_path / "config.json", tmp_path / "out"
    config.write_text(json.dumps(CONFIG))
    head, other = Host(tmp_path / "head.json"), Host(tmp_path / "other.json")
    address = f"127.0.0.2:{free_port()}"
    with ExitStack() as stack:
        at = ("--host", "127.0.0.2", "--port", address.rpartition(":")[2])
        stack.enter_context(head.up("--chips", "2", "--cpus", "1", *at))
        token = json.loads(head.state.read_text())["token_file"]
        join = ("--host", "127.0.0.3", "--join", address, "--token", token)
        stack.enter_context(other.up("--chips", "2", "--cpus", "1", *join))
        more = ("--engine", "ray", "--repair-time", "90 s", "--hang-time", "20 s", "--out", str(out), "--json")
        running = head.start("operate", str(config), "hgx-h100", *JOB, *LEARNING, *more)
        try:
            watcher = Watcher(running, out)
            first = watcher.await_training(1)
            os.kill(first[1], signal.SIGKILL)
            second = watcher.await_training(2)
            agent = parent_of(second[-1])
            actor = parent_of(agent)
            assert "AgentActor" in Path(f"/proc/{actor}/cmdline").read_text()
            assert {agent, *second} <= set(writers(out))
            os.kill(actor, signal.SIGKILL)
            said, error = running.communicate(timeout=GUARD)
        finally:
            running.kill()
        assert running.returncode == 0, error
        assert (json.loads(said)["state"], json.loads(said)["steps"]) == ("done", STEPS)
        assert not writers(out)
        assert json.loads(head.run("pool", "status", "--json").stdout)["free"] == 4
    events = read_events(out / "events.jsonl")
    starts = [e for e in events if e["event"] == "start"]
    # Where Ray is slower to say that the actor is gone than its peers to end without it, their exit is the first sign.
    kinds = [e["kind"] for e in events if e["event"] == "failure"]
    assert kinds[0] == "killed"
    assert kinds[1] in ("node", "exit")
    assert [len(e["chips"]) for e in starts][:2] == [4, 3]
    lost = starts[1]["chips"][-1] // 2
    assert not any(chip // 2 == lost for chip in starts[2]["chips"])
    assert_nothing_saved_is_lost(events)
    # The undisturbed run goes as far beyond the last checkpoint that was loaded as a difference would need to show.
    compared = starts[2]["resume"] + 40
    with waiting_quietly():
        measurement = run(WHOLE, replace(QUICK, steps=compared, out=str(tmp_path / "undisturbed"))).measurement
    assert measurement is not None
    found = list(losses(out))
    assert {index for index, _ in found} == set(range(STEPS))
    assert len(found) > STEPS  # some were done again
    for index, loss in [pair for pair in found if pair[0] < compared]:
        assert loss == pytest.approx(measurement.losses[index], rel=1e-5), f"step {index}"
