"""The controller in 500 simulated pools: every promise holds at every event, and a seed is one and the same story for ever."""

from pathlib import Path

import pytest

from samples import last_event
from tianji.operation.controller import State
from tianji.operation.simulation import play
from tianji.operation.simulation.scenario import draw_scenario

pytestmark = pytest.mark.xdist_group("simulation")  # its plans are searched once

CHUNK = 25


@pytest.mark.parametrize("first", range(0, 500, CHUNK))
def test_every_promise_holds(first: int) -> None:
    for seed in range(first, first + CHUNK):
        played = play(seed)
        assert played.state is State.DONE
        done = last_event(played.log, "done")
        assert done is not None and done["step"] == draw_scenario(seed).steps - 1


@pytest.mark.parametrize("seed", [0, 17, 123, 499])
def test_a_seed_replays_to_the_same_bytes(seed: int, tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    play(seed, first)
    play(seed, second)
    assert first.read_bytes() == second.read_bytes() != b""


def test_the_seeds_meet_every_kind_of_failure() -> None:
    kinds = {e["kind"] for seed in range(100) for e in play(seed).log.events if e["event"] == "failure"}
    assert kinds >= {"node", "silent node", "chip", "killed", "exit", "hang", "stall", "slow start"}


def test_the_seeds_shrink_grow_and_wait() -> None:
    events = [e for seed in range(100) for e in play(seed).log.events]
    sizes = {len(e["chips"]) for e in events if e["event"] == "start"}
    assert len(sizes) >= 6
    assert {"grow", "wait"} <= {e["event"] for e in events}


def test_other_seeds_are_other_stories() -> None:
    assert play(1).log.text() != play(2).log.text()
