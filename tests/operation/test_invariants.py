"""A controller that breaks a promise is caught: each mutant is the real one with one rule taken out."""

from collections.abc import Callable
from typing import Any

import pytest

from tianji.operation.controller import Controller, State
from tianji.operation.simulation import play
from tianji.operation.simulation.invariants import InvariantError
from tianji.operation.simulation.store import SimulatedStore

pytestmark = pytest.mark.xdist_group("simulation")

SEEDS = range(300)


def without_fencing(controller: Controller) -> None:
    controller._enter(controller._next)


def without_repeats(controller: Controller) -> bool:
    due, controller._said = controller._said == float("-inf"), 0.0
    return due


def trusting_all(controller: Controller) -> list[int]:
    return [c.chip for h in controller.heard.values() for c in h.report.chips if not c.busy()]


def giving_up_leases(controller: Controller, node: int) -> bool:
    heard = controller.heard.get(node)
    is_silent = heard is None or controller.clock.now() - heard.at > 5.0
    return not is_silent and any(report.busy() for report in heard.report.chips)  # type: ignore[union-attr]


def reading_torn(store: SimulatedStore) -> int | None:
    return max([*store.complete, *store.torn], default=None)


def forgetting(store: SimulatedStore) -> int | None:
    return min(store.complete, default=None)


TWO_WRITERS = "booked twice|together|worker is still on it|overwrites"
MUTANTS: dict[str, tuple[type, str, Callable[..., Any], str]] = {
    "no fencing": (Controller, "_fence", without_fencing, TWO_WRITERS),
    "no repeats": (Controller, "_is_due", without_repeats, "no progress|does not end"),
    "failed chips planned": (Controller, "free_chips", trusting_all, "touches the failed chip|booked twice"),
    "no waiting for leases": (Controller, "_may_be_alive", giving_up_leases, TWO_WRITERS),
    "torn checkpoints read": (SimulatedStore, "newest", reading_torn, "torn|was checkpointed"),
    "older checkpoints read": (SimulatedStore, "newest", forgetting, "was checkpointed|overwrites"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_promise_is_seen_and_says_how_to_replay_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, method, mutant, promise = MUTANTS[name]
    monkeypatch.setattr(owner, method, mutant)
    with pytest.raises(InvariantError, match=promise) as caught:
        for seed in SEEDS:
            play(seed)
    assert "tianji operate --simulate --seed" in str(caught.value)


def test_the_end_of_a_play_is_the_end_of_the_job() -> None:
    assert all(play(seed).state is State.DONE for seed in range(3))
