"""The controller in 500 simulated pools: every promise holds at every event, and a seed is one and the same story for ever."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from samples import last_event
from tianji.operation.controller import State
from tianji.operation.simulation import play
from tianji.operation.simulation.scenario import draw_scenario

pytestmark = pytest.mark.xdist_group("simulation")  # its plans are searched once

CHUNK = 25


@dataclass(frozen=True, slots=True)
class Story:
    """What the tests below ask about a seed."""

    state: State
    last_step: int
    kinds: frozenset[str]
    sizes: frozenset[int]
    names: frozenset[str]


@cache
def story(seed: int) -> Story:
    """Play a seed, once for all tests."""
    played = play(seed)
    events, done = played.log.events, last_event(played.log, "done")
    assert done is not None
    return Story(
        played.state,
        done["step"],
        frozenset(e["kind"] for e in events if e["event"] == "failure"),
        frozenset(len(e["chips"]) for e in events if e["event"] == "start"),
        frozenset(e["event"] for e in events),
    )


@pytest.mark.parametrize("first", range(0, 500, CHUNK))
def test_every_promise_holds(first: int) -> None:
    for seed in range(first, first + CHUNK):
        assert story(seed).state is State.DONE
        assert story(seed).last_step == draw_scenario(seed).steps - 1


@pytest.mark.parametrize("seed", [0, 17, 123, 499])
def test_a_seed_replays_to_the_same_bytes(seed: int, tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    play(seed, first)
    play(seed, second)
    assert first.read_bytes() == second.read_bytes() != b""


def test_the_seeds_meet_every_kind_of_failure() -> None:
    kinds = frozenset().union(*(story(seed).kinds for seed in range(100)))
    assert kinds >= {"node", "silent node", "chip", "killed", "exit", "hang", "stall", "slow start"}


def test_the_seeds_shrink_grow_and_wait() -> None:
    assert len(frozenset().union(*(story(seed).sizes for seed in range(100)))) >= 6
    assert frozenset().union(*(story(seed).names for seed in range(100))) >= {"grow", "wait"}


def test_other_seeds_are_other_stories() -> None:
    assert play(1).log.text() != play(2).log.text()
