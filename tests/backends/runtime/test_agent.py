"""A real agent with real ranks under a clock of the test's own: a lease ends to the second on any machine."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from processes import GUARD

ROOT = Path(__file__).parents[3]
KILLED = [-9, -9]


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.backends.runtime.lease_play", str(tmp_path_factory.mktemp("play"))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=GUARD)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document | {act["act"]: act for act in document["acts"]}


def test_ranks_live_as_long_as_the_lease_is_renewed(play: dict[str, Any]) -> None:
    for act in ("renewed for four leases", "just before the end of the lease"):
        assert play[act]["codes"] == [None, None]
        assert all(play[act]["alive"])


def test_ranks_end_with_the_lease(play: dict[str, Any]) -> None:
    assert play["after it"]["codes"] == KILLED
    assert not any(play["after it"]["alive"])


@pytest.mark.parametrize("act", ["an order to start that comes after it", "and after the answer to an old report"])
def test_an_order_to_start_that_comes_after_the_lease_starts_nothing(play: dict[str, Any], act: str) -> None:
    assert play[act]["attempts"] == [1, 1]
    assert not any(play[act]["alive"])


def test_an_order_that_is_repeated_under_a_new_lease_is_followed(play: dict[str, Any]) -> None:
    act = play["the lease renewed and the order repeated"]
    assert (act["attempts"], act["codes"]) == ([2, 2], [None, None])
    assert all(act["alive"])


def test_an_attempt_that_was_stopped_is_never_started_again(play: dict[str, Any]) -> None:
    act = play["stopped, and the order repeated"]
    assert (act["attempts"], act["codes"]) == ([2, 2], KILLED)
    assert not any(act["alive"])


def test_a_rank_that_fails_says_why(play: dict[str, Any]) -> None:
    assert play["ranks that fail"]["codes"] == [1, 1]
    assert play["messages"] == ["ValueError: as the payload says"] * 2
