"""The controller step by step, in a world where the test says what is reported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from samples import flat, job, last_event
from tianji.operation.controller import Controller, State, cordoned_chips
from tianji.operation.event_log import EventLog
from tianji.operation.protocols import Attempt, ChipReport, NodeReport, Proposal, WorkerReport
from tianji.operation.settings import Settings
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan


@dataclass
class Scripted:
    """Clock, cluster, store and planner in one: two nodes of two chips; what the test says is what is."""

    time: float = 0.0
    lease: float = 5.0
    saved: int | None = None
    loadable: int | None = None
    """Another than ``saved`` where that is damaged."""
    inbox: list[NodeReport] = field(default_factory=list)
    started: list[Attempt] = field(default_factory=list)
    stopped: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    serial: int = 0

    def now(self) -> float:
        return self.time

    def poll(self) -> list[NodeReport]:
        found, self.inbox = self.inbox, []
        return found

    def start(self, attempt: Attempt) -> None:
        self.started.append(attempt)

    def stop(self, attempt: int) -> None:
        self.stopped.append(attempt)

    def save_and_end(self, attempt: Attempt) -> None:
        self.asked.append(attempt.number)

    def describe(self, attempt: Attempt, chips: Sequence[int]) -> Sequence[Mapping[str, object]]:
        return [{"chip": chip, "last_words": "alas"} for chip in chips]

    def newest(self) -> int | None:
        return self.saved

    def find_loadable(self) -> int | None:
        self.saved = self.saved if self.loadable is None else self.loadable
        return self.saved

    def propose(self, chips: int) -> Proposal | None:
        return Proposal(Plan(job(), flat(chips), Strategy(dp=chips)), 4.0 / chips) if chips else None

    def space_checkpoints(self, proposal: Proposal, slowdown: float, failures: int, elapsed: float) -> int:
        return 7

    def say(self, node: int, *workers: WorkerReport | None, stopped: int = 0, dead: bool = False) -> None:
        self.serial += 1
        chips = tuple(ChipReport(2 * node + i, True, worker) for i, worker in enumerate(workers))
        self.inbox.append(NodeReport(node, self.serial, chips, stopped, dead))


def make(**settings: int) -> tuple[Scripted, Controller]:
    world = Scripted()
    controller = Controller(
        2, 2, Settings(steps=100, **settings), planner=world, clock=world, agents=world, store=world, log=EventLog()
    )
    return world, controller


def train(world: Scripted, controller: Controller, step: int = 3) -> None:
    """Bring an attempt on all four chips to a step."""
    for node in (0, 1):
        world.say(node, None, None)
    controller.advance()
    for node in (0, 1):
        world.say(node, WorkerReport(1, step, 0.0), WorkerReport(1, step, 0.0))
    world.time = 1.0
    controller.advance()


def test_all_chips_work() -> None:
    world, controller = make()
    train(world, controller)
    assert controller.state is State.TRAINING
    assert world.started[0].chips == (0, 1, 2, 3)
    assert (world.started[0].resume, world.started[0].checkpoint_every) == (None, 7)


def test_nothing_starts_before_all_nodes_are_heard() -> None:
    world, controller = make()
    world.say(0, None, None)
    controller.advance()
    assert controller.state is State.PLANNING
    assert not world.started


def test_a_killed_worker_costs_its_chip_and_nothing_starts_before_all_have_stopped() -> None:
    world, controller = make()
    train(world, controller)
    world.saved = 2
    world.say(1, WorkerReport(1, 3, 0.0, -9), WorkerReport(1, 3, 0.0, 1))
    controller.advance()
    failure = last_event(controller.log, "failure")
    assert failure is not None
    assert (failure["kind"], failure["chips"], failure["step"], failure["saved"]) == ("killed", [2], 3, 2)
    assert controller.state is State.FENCING
    assert world.stopped == [1]
    world.say(0, WorkerReport(1, 3, 0.0, -9), WorkerReport(1, 3, 0.0, -9), stopped=1)
    controller.advance()
    assert controller.state is State.FENCING  # node 1 has not answered
    world.say(1, WorkerReport(1, 3, 0.0, -9), WorkerReport(1, 3, 0.0, -9), stopped=1)
    controller.advance()
    assert controller.state is State.STARTING
    assert world.started[-1].chips == (0, 1, 3)
    assert world.started[-1].resume == 2


def test_an_attempt_starts_from_the_checkpoint_before_a_damaged_one() -> None:
    world, controller = make()
    train(world, controller)
    world.saved, world.loadable = 9, 4
    world.say(0, WorkerReport(1, 9, 0.0, 1), WorkerReport(1, 9, 0.0, 1), stopped=1)
    world.say(1, WorkerReport(1, 9, 0.0, -9), WorkerReport(1, 9, 0.0, 1), stopped=1)
    for _ in range(4):
        world.time += 1.5
        controller.advance()
    damaged = last_event(controller.log, "damaged checkpoint")
    assert damaged is not None
    assert (damaged["step"], damaged["resume"]) == (9, 4)
    assert world.started[-1].resume == controller.saved == 4


def ended(world: Scripted, code: int = 0, step: int = 4) -> None:
    """All workers of the first attempt end."""
    for node in (0, 1):
        world.say(node, WorkerReport(1, step, 0.0, code), WorkerReport(1, step, 0.0, code), stopped=1)


def test_who_stops_a_job_has_it_save_first() -> None:
    world, controller = make()
    train(world, controller)
    controller.end(signal="SIGTERM")
    assert (controller.state, world.asked, world.stopped) == (State.SAVING, [1], [])
    controller.advance()
    assert controller.state is State.SAVING
    world.saved = 4
    ended(world)
    controller.advance()
    assert controller.state is State.STOPPED
    assert [e["event"] for e in controller.log.events][-4:] == ["stop", "checkpoint", "fenced", "stopped"]
    assert controller.log.events[-1]["saved"] == 4


@pytest.mark.parametrize("why", ["timeout", "failure", "again"])
def test_a_save_that_does_not_come_is_not_waited_for(why: str) -> None:
    world, controller = make()
    train(world, controller)
    controller.end()
    if why == "timeout":
        world.time += 9.0
        world.say(0, WorkerReport(1, 4, 0.0), WorkerReport(1, 4, 0.0))
        world.say(1, WorkerReport(1, 4, 0.0), WorkerReport(1, 4, 0.0))
        controller.advance()
        assert controller.state is State.SAVING
        world.time += 12.0
        world.say(0, WorkerReport(1, 4, 0.0), WorkerReport(1, 4, 0.0))
        world.say(1, WorkerReport(1, 4, 0.0), WorkerReport(1, 4, 0.0))
    elif why == "failure":
        world.say(0, WorkerReport(1, 4, 0.0, -9), WorkerReport(1, 4, 0.0, -9))
    else:
        controller.end(save=False)
    controller.advance()
    assert controller.state is State.FENCING
    assert set(world.stopped) == {1}


def test_a_cordoned_chip_is_left_after_a_save_and_comes_back_when_it_is_given_back() -> None:
    world, controller = make()
    train(world, controller)
    controller.cordon([2])
    assert (controller.state, world.asked) == (State.SAVING, [1])
    world.saved = 4
    ended(world)
    controller.advance()
    assert world.started[-1].chips == (0, 1, 3)
    assert world.started[-1].resume == 4
    assert controller.failures == 0
    controller.uncordon([2, 3])
    assert cordoned_chips(controller.log.events) == set()
    assert 2 in controller.chips.list_free(controller.heard, world.time, 10.0)


def test_a_chip_that_is_idle_is_cordoned_without_a_word_to_the_job() -> None:
    world, controller = make(spares=1)
    train(world, controller)
    idle = ({0, 1, 2, 3} - set(world.started[0].chips)).pop()
    controller.cordon([idle])
    assert (controller.state, world.asked) == (State.TRAINING, [])


def test_a_failure_tells_where_its_workers_ran() -> None:
    world, controller = make()
    train(world, controller)
    world.say(1, WorkerReport(1, 3, 0.0, -9), WorkerReport(1, 3, 0.0, 1))
    controller.advance()
    failure = last_event(controller.log, "failure")
    assert failure is not None
    assert failure["workers"] == [{"chip": 2, "last_words": "alas"}]


def test_an_error_waits_for_its_cause() -> None:
    world, controller = make()
    train(world, controller)
    world.say(0, WorkerReport(1, 3, 0.0, 1, "connection closed"), WorkerReport(1, 3, 0.0))
    controller.advance()
    assert controller.state is State.TRAINING
    world.say(1, WorkerReport(1, 3, 0.0, -11), WorkerReport(1, 3, 0.0))
    controller.advance()
    failure = last_event(controller.log, "failure")
    assert failure is not None
    assert (failure["kind"], failure["chips"]) == ("killed", [2])


def test_a_spare_stands_by_and_takes_over() -> None:
    world, controller = make(spares=1)
    for node in (0, 1):
        world.say(node, None, None)
    controller.advance()
    assert world.started[-1].chips == (0, 1)
    world.say(0, dead=True)
    controller.advance()
    world.say(1, None, None, stopped=1)
    controller.advance()
    assert world.started[-1].chips == (2, 3)


def test_a_silent_node_is_waited_for_as_long_as_its_lease() -> None:
    world, controller = make()
    train(world, controller)
    world.time = 12.0
    running = WorkerReport(1, 3, 0.0)
    world.say(0, running, running)
    controller.advance()
    assert last_event(controller.log, "failure")["kind"] == "silent node"
    world.say(0, None, None, stopped=1)
    controller.advance()
    assert controller.state is State.STARTING  # node 1 was last heard at 1 s: its lease of 5 s is over
    assert world.started[-1].chips == (0, 1)


def test_an_old_report_that_comes_late_changes_nothing() -> None:
    world, controller = make()
    train(world, controller)
    world.inbox.append(NodeReport(1, 0, (), dead=True))
    controller.advance()
    assert controller.state is State.TRAINING


def test_a_job_that_always_fails_is_given_up_with_the_reason() -> None:
    world, controller = make(patience=2)
    for number in (1, 2):
        for node in (0, 1):
            world.say(node, None, None, stopped=number - 1)
        controller.advance()
        failed = WorkerReport(number, -1, 0.0, 1, "out of memory")
        world.say(0, failed, failed)
        controller.advance()
        world.time += 2.0
        world.say(0, failed, failed)
        controller.advance()
    for node in (0, 1):
        world.say(node, None, None, stopped=2)
    controller.advance()
    assert controller.state is State.FAILED
    assert "out of memory" in controller.reason


def test_a_job_whose_last_step_is_saved_is_done() -> None:
    world, controller = make()
    world.saved = 99
    for node in (0, 1):
        world.say(node, None, None)
    controller.advance()
    assert controller.state is State.DONE
    assert not world.started


def test_the_job_grows_when_chips_are_back_and_it_pays() -> None:
    world, controller = make()
    train(world, controller)
    world.say(1, dead=True)
    controller.advance()
    world.say(0, None, None, stopped=1)
    controller.advance()
    assert world.started[-1].chips == (0, 1)
    second = WorkerReport(2, 4, 0.0)
    world.say(0, second, second, stopped=1)
    world.say(1, None, None, stopped=1)
    controller.restart = 1.0
    controller.advance()
    assert controller.state is State.TRAINING
    world.saved = 4
    controller.advance()
    grown = last_event(controller.log, "grow")
    assert grown is not None
    # 95 steps are left, of 2 s on two chips and of 1 s on four.
    assert grown["gain"] == pytest.approx(95.0, rel=0.2)


def test_late_nodes_are_named_once_and_status_says_what_is_waited_for() -> None:
    world, controller = make()
    world.say(0, None, None)
    controller.advance()
    assert last_event(controller.log, "wait") is None
    for _ in range(3):
        world.time += 11.0
        world.say(0, None, None)
        controller.advance()
    assert [e["unheard"] for e in controller.log.events if e["event"] == "wait"] == [[1]]
    assert controller.state is State.PLANNING
    world.say(1, None, None)
    controller.advance()
    assert controller.state is State.STARTING
