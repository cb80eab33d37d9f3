"""Real processes that are killed, stopped and interrupted: the job goes on with the losses of an undisturbed run."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from processes import GUARD, children, is_alive, wait_for
from samples import HEARING
from tianji.backends import RunOptions, run
from tianji.backends.journal import read_journal
from tianji.catalog import load_pool
from tianji.operation.controller import State
from tianji.operation.event_log import Event, read_events
from tianji.operation.operating import Operation, Order, begin
from tianji.operation.real_world import FolderStore
from tianji.operation.settings import Settings
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.workload import Job, find_precision
from tianji.workload.huggingface import read_config

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kills")]

CONFIG = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 4,
    "intermediate_size": 96, "vocab_size": 256,
}  # fmt: skip
STEPS = 500
"""Enough that four kills find the job at work on a quiet machine too: each falls within SOON of the first checkpoint of an
attempt. The rate is small, or rounding grows."""
SOON = 0.3
"""Seconds in which a random moment for a kill is drawn."""
QUICK = RunOptions(steps=STEPS, warmup=0, optimizer="sgd", learning_rate=0.02, trace=False)


def plan(chips: int = 4, node: int = 2, strategy: Strategy | None = None) -> Plan:
    pool = replace(load_pool("hgx-h100", chips), node=node)
    job = Job(read_config(CONFIG, "tiny"), 32, 8, find_precision("fp32"))
    return Plan(job, pool, strategy or Strategy(dp=chips))


WHOLE = plan(1, 1, Strategy(micro_batch_size=8))
"""One process that takes the whole batch at once: the same losses at the least work."""


def order(steps: int = STEPS, **more: Any) -> Order:
    settings = Settings(
        steps=steps, checkpoint_every=10, quarantine=4.0, heartbeat_timeout=5.0, node_timeout=10.0, **more
    )
    return Order(plan(), settings, QUICK, mtbf=60.0, save_time=0.05, repair=4.0)


@contextmanager
def waiting_quietly() -> Iterator[None]:
    """Threads that wait leave the cores to others, as under an operation: those that spin stall a run on a busy machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_WAIT_POLICY", "PASSIVE")
        yield


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[float, ...]:
    out = tmp_path_factory.mktemp("undisturbed")
    with waiting_quietly():
        measurement = run(WHOLE, replace(QUICK, out=str(out))).measurement
    assert measurement is not None
    return measurement.losses


def losses(folder: Path) -> Iterator[tuple[int, float]]:
    for journal in sorted(folder.glob("attempts/*/rank-00000.jsonl")):
        yield from ((e["index"], e["loss"]) for e in read_journal(journal) if e["event"] == "step")


def assert_is_undisturbed(folder: Path, expected: tuple[float, ...], steps: int = STEPS) -> None:
    of_attempts = list(losses(folder))
    assert {index for index, _ in of_attempts} == set(range(steps))
    for index, loss in of_attempts:
        assert loss == pytest.approx(expected[index], rel=1e-5), f"step {index}"


def assert_nothing_saved_is_lost(events: list[Event]) -> None:
    saved = -1
    for event in events:
        if event["event"] == "checkpoint":
            saved = event["step"]
        if event["event"] == "start":
            assert (-1 if event["resume"] is None else event["resume"]) >= saved


class Killer:
    """Kills at random moments of training, each time another part; remembers whom it ever saw."""

    def __init__(self, *parts: str) -> None:
        self.parts, self.random, self.seen = list(parts), random.Random(5), set[int]()
        self.at, self.done = 0.0, 0

    def __call__(self, operation: Operation) -> None:
        self.seen |= {*operation.agents.pids().values(), *operation.agents.hosts.agents().values()}
        controller = operation.controller
        is_noticed = controller.failures == self.done
        if controller.state is not State.TRAINING or controller.attempt is None or not self.parts or not is_noticed:
            self.at = 0.0
            return
        self.at = self.at or time.monotonic() + self.random.uniform(0.0, SOON)
        if time.monotonic() < self.at or controller.saved is None:
            return
        part, self.at, self.done = self.parts.pop(), 0.0, self.done + 1
        chip = self.random.choice(controller.attempt.chips)
        if part == "agent":
            os.kill(operation.agents.hosts.agents()[chip // controller.node], signal.SIGKILL)
        else:
            os.kill(operation.agents.pids()[chip], signal.SIGKILL if part == "rank" else signal.SIGSTOP)


def test_killed_ranks_and_agents_are_answered(undisturbed: tuple[float, ...], tmp_path: Path) -> None:
    killer = Killer("rank", "agent", "hang", "rank")  # from the last on
    outcome = begin(order(), tmp_path, killer)
    assert outcome.state is State.DONE, outcome
    assert not killer.parts
    events = read_events(tmp_path / "events.jsonl")
    assert [e["kind"] for e in events if e["event"] == "failure"][:4] == ["killed", "hang", "node", "killed"]
    assert len({len(e["chips"]) for e in events if e["event"] == "start"}) > 1
    assert outcome.account.failures == 4
    assert 0 < outcome.account.goodput < 1
    assert_nothing_saved_is_lost(events)
    assert_is_undisturbed(tmp_path, undisturbed)
    assert len(killer.seen) >= 8
    assert not any(map(is_alive, killer.seen))


def test_a_spare_takes_the_place_of_what_failed(undisturbed: tuple[float, ...], tmp_path: Path) -> None:
    steps = 200  # one kill comes within a second
    killer = Killer("agent")
    outcome = begin(order(steps, spares=1), tmp_path, killer)
    assert outcome.state is State.DONE
    assert not killer.parts
    starts = [e for e in read_events(tmp_path / "events.jsonl") if e["event"] == "start"]
    assert [len(e["chips"]) for e in starts] == [2, 2]
    assert not set(starts[0]["chips"]) & set(starts[1]["chips"])
    assert starts[0]["layout"] == starts[1]["layout"]
    assert_is_undisturbed(tmp_path, undisturbed, steps)


@contextmanager
def operating(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HEARING, sys.executable, "-m", "tianji", "operate", *arguments]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_ended_operation_leaves_nothing_and_can_be_resumed(how: signal.Signals, tmp_path: Path) -> None:
    config, out = tmp_path / "config.json", tmp_path / "out"
    config.write_text(json.dumps(CONFIG))
    job = ("--chips", "2", "--node", "1", "--batch", "8", "--seq", "32", "--precision", "fp32")
    more = ("--steps", "3000", "--checkpoint-every", "20", "--out", str(out))
    with operating(str(config), "hgx-h100", *job, *more) as running:
        wait_for(lambda: out.exists() and any((out / "checkpoints").glob("*/.metadata")))
        left = children(running.pid)
        assert len(left) >= 4
        running.send_signal(how)
        _, said = running.communicate(timeout=GUARD)
    wait_for(lambda: not any(map(is_alive, left)))
    if how is signal.SIGINT:
        assert running.returncode == 130
        assert f"--resume {out}" in said
    order_file = out / "operation.json"
    document = json.loads(order_file.read_text())
    saved = FolderStore(out / "checkpoints").newest()
    assert saved is not None
    document["settings"]["steps"] = saved + 30
    order_file.write_text(json.dumps(document))
    with operating("--resume", str(out), "--json") as again:
        told, said = again.communicate(timeout=GUARD)
    assert again.returncode == 0, said
    assert (json.loads(told)["state"], json.loads(told)["steps"]) == ("done", saved + 30)
    assert_nothing_saved_is_lost(read_events(out / "events.jsonl"))
