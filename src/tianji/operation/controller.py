"""The controller: a state machine that keeps a job going on the chips that are left.

It decides by what nodes report, by the time and by the checkpoints that are complete, and by nothing else: the same code runs
real processes and a simulated pool. :meth:`Controller.advance` is called whenever something was heard or some time has passed.

planning -> starting -> training -> done; a failure leads over fencing (nothing of the old attempt may be left) back to
planning, and too few chips to waiting. A person who stops the job or takes chips out has it save first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

from tianji.operation.event_log import EventLog
from tianji.operation.failure_detection import CERTAIN, Failure, Heard, find_failure
from tianji.operation.free_chips import FreeChips
from tianji.operation.protocols import Agents, Attempt, ChipReport, Clock, Planner, Proposal, Store
from tianji.operation.settings import Settings
from tianji.parallel.layouts import abbreviate_layout
from tianji.units import Seconds

SUSPECT = ("killed", "hang", "slow start")
"""Kinds of failure after which a chip is left out for a while, though its node calls it healthy."""
GROWTH_MARGIN = 2.0
"""How many times a restart's cost must a larger plan win back before the job changes to it."""


class State(Enum):
    """Where an operation stands."""

    PLANNING = "planning"
    WAITING = "waiting"
    STARTING = "starting"
    TRAINING = "training"
    SAVING = "saving"
    FENCING = "fencing"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


ENDS = (State.DONE, State.FAILED, State.STOPPED)


def cordoned_chips(events: Sequence[Mapping[str, Any]]) -> set[int]:
    """Return the chips that a person has taken out and not given back, by the events of an operation."""
    cordoned: set[int] = set()
    for event in events:
        if event["event"] == "cordon":
            cordoned |= set(event["chips"])
        elif event["event"] == "uncordon":
            cordoned -= set(event["chips"])
    return cordoned


class Controller:
    """Operates one job on ``nodes`` nodes of ``node`` chips each."""

    def __init__(
        self, nodes: int, node: int, settings: Settings, *, planner: Planner, clock: Clock, agents: Agents, store: Store,
        log: EventLog, **facts: object,
    ) -> None:  # fmt: skip
        self.nodes, self.node, self.settings = nodes, node, settings
        self.planner, self.clock, self.agents, self.store, self.log = planner, clock, agents, store, log
        self.state = State.PLANNING
        self.reason = ""
        """Why the job was given up."""
        self.attempt: Attempt | None = None
        self.proposal: Proposal | None = None
        self.step = -1
        """The last step that all ranks of this attempt have finished."""
        self.saved = self.store.newest()
        self.heard: dict[int, Heard] = {}
        self.number = max((e["attempt"] for e in log.events if e["event"] == "start"), default=0)
        self.failures = 0
        self.chips = FreeChips(cordoned_chips(log.events))
        self.slowdown = 1.0
        self.restart: Seconds = 60.0
        """What the last restart took, from the failure to the first step after it."""
        self._began = clock.now()
        self._changed = self._began
        self._moved = self._began
        self._failed_at: Seconds | None = None
        self._fruitless = 0
        self._said = self._cleared = float("-inf")
        self._evidence: Seconds | None = None
        self._next = State.PLANNING
        log.write(self._began, "begin", nodes=nodes, node=node, steps=settings.steps, saved=self.saved, **facts)

    # --- the loop ---------------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Hear what is new and act on it."""
        now = self.clock.now()
        for report in self.agents.poll():
            before = self.heard.get(report.node)
            if before is None or report.serial > before.report.serial:
                self.heard[report.node] = Heard(report, now)
        self._note_checkpoint()
        self._end_leftovers()
        while True:
            before_state = self.state
            self._act()
            if self.state is before_state:
                return

    def _act(self) -> None:
        match self.state:
            case State.PLANNING:
                self._plan()
            case State.WAITING:
                self._wait()
            case State.STARTING:
                self._watch_start()
            case State.TRAINING:
                self._watch_training()
            case State.SAVING:
                self._watch_saving()
            case State.FENCING:
                self._fence()

    def end(self, *, save: bool = True, **facts: object) -> None:
        """Begin to stop, with a checkpoint first where the job is training.

        Nothing of the job is left running when the state is ``stopped``. ``facts`` go into the event: who asked.
        """
        if self.state in ENDS:
            return
        self._write("stop", step=self.step, **facts)
        if save and self.state is State.TRAINING:
            self._begin_saving(State.STOPPED)
        elif self.state is State.SAVING and save:
            self._next = State.STOPPED
        else:
            self._begin_fencing(State.STOPPED)

    def cordon(self, chips: Iterable[int]) -> None:
        """Take chips out until :meth:`uncordon`; a job that trains on one of them saves, and is planned without them."""
        named = sorted(set(chips) - self.chips.cordoned)
        self.chips.cordoned |= set(named)
        self._write("cordon", chips=named)
        if self.state is State.TRAINING and self.attempt and set(named) & set(self.attempt.chips):
            self._begin_saving(State.PLANNING)

    def uncordon(self, chips: Iterable[int]) -> None:
        """Give chips back."""
        named = sorted(set(chips) & self.chips.cordoned)
        self.chips.cordoned -= set(named)
        self._write("uncordon", chips=named)

    def _enter(self, state: State) -> None:
        self.state, self._changed, self._said = state, self.clock.now(), float("-inf")

    def _write(self, event: str, **facts: object) -> None:
        self.log.write(self.clock.now(), event, **facts)

    def _is_due(self) -> bool:
        """Whether to say again what had no answer."""
        now = self.clock.now()
        if now - self._said < self.settings.repeat:
            return False
        self._said = now
        return True

    def _end_leftovers(self) -> None:
        """End workers of earlier attempts: a node comes back with some, or starts them on an order that was late."""
        now = self.clock.now()
        if now - self._cleared < self.settings.repeat:
            return
        is_running = self.state in (State.STARTING, State.TRAINING, State.SAVING)
        oldest = self.number if is_running else self.number + 1
        reports = [report for heard in self.heard.values() for report in heard.report.chips if report.busy()]
        if any(report.worker and report.worker.attempt < oldest for report in reports):
            self._cleared = now
            self.agents.stop(oldest - 1)

    def _note_checkpoint(self) -> None:
        newest = self.store.newest()
        if newest is not None and (self.saved is None or newest > self.saved):
            self.saved = newest
            self._write("checkpoint", step=newest)
            if self.state is State.TRAINING:
                self._consider_growth()

    # --- planning ---------------------------------------------------------------------------------------------

    def free_chips(self) -> list[int]:
        """Return the chips that can be had, those of fuller nodes first."""
        return self.chips.list_free(self.heard, self.clock.now(), self.settings.node_timeout)

    def _most_chips(self) -> int:
        """Return the chips of the pool without those of the spares."""
        return max(self.nodes - self.settings.spares, 1) * self.node

    def _plan(self) -> None:
        free = self.free_chips()
        if self.saved is not None and self.saved >= self.settings.steps - 1:
            self._write("done", attempt=self.number, step=self.saved)
            self._enter(State.DONE)
            return
        is_early = self.attempt is None and self.clock.now() - self._changed < self.settings.start_timeout
        if is_early and len(self.heard) < self.nodes:
            self._say_late(free)
            return  # the nodes are still coming up
        proposal = self.planner.propose(min(len(free), self._most_chips())) if free else None
        if proposal is None:
            self._write("wait", free=len(free), unheard=self._unheard())
            self._enter(State.WAITING)
            return
        self._start(proposal, free)

    def _say_late(self, free: Sequence[int]) -> None:
        """Say once which nodes have not reported, when they take longer than a node may be silent."""
        if self.log.events[-1]["event"] == "begin" and self.clock.now() - self._changed > self.settings.node_timeout:
            self._write("wait", free=len(free), unheard=self._unheard())

    def _unheard(self) -> list[int]:
        """Return the nodes whose agents never reported."""
        return [number for number in range(self.nodes) if number not in self.heard]

    def _start(self, proposal: Proposal, free: list[int]) -> None:
        settings, now = self.settings, self.clock.now()
        every = settings.checkpoint_every or self.planner.space_checkpoints(
            proposal, self.slowdown, self.failures, now - self._began
        )
        self.number += 1
        chips = tuple(sorted(free[: proposal.plan.strategy.chips]))
        loadable = self.store.find_loadable()
        if self.saved is not None and (loadable is None or loadable < self.saved):
            self._write("damaged checkpoint", step=self.saved, resume=loadable)
            self.saved = loadable
        self.attempt = Attempt(self.number, proposal.plan, chips, loadable, every)
        self.proposal = proposal
        self.step = -1 if self.attempt.resume is None else self.attempt.resume
        self._evidence, self._moved = None, now
        self._write(
            "start", attempt=self.number, layout=abbreviate_layout(proposal.plan.strategy), chips=list(chips),
            resume=self.attempt.resume, checkpoint_every=every,
        )  # fmt: skip
        self._enter(State.STARTING)

    def _wait(self) -> None:
        free = self.free_chips()
        if free and self.planner.propose(min(len(free), self._most_chips())):
            self._enter(State.PLANNING)

    # --- watching ---------------------------------------------------------------------------------------------

    def _worker_reports(self) -> list[ChipReport]:
        """Return the reports of the attempt's chips that tell of a worker of this attempt."""
        assert self.attempt is not None
        reports = [
            self.heard[c // self.node].report.by_chip.get(c) for c in self.attempt.chips if c // self.node in self.heard
        ]
        return [r for r in reports if r and r.worker and r.worker.attempt == self.attempt.number]

    def _watch_start(self) -> None:
        assert self.attempt is not None
        if self._is_due() and len(self._worker_reports()) < len(self.attempt.chips):
            self.agents.start(self.attempt)
        if self._note_steps() or self._has_failed(is_training=False):
            return
        if self.clock.now() - self._changed > self.settings.start_timeout:
            there = {report.chip for report in self._worker_reports()}
            self._fail(Failure("slow start", tuple(c for c in self.attempt.chips if c not in there)))

    def _watch_training(self) -> None:
        if self._note_steps() or self._has_failed(is_training=True):
            return
        if self.clock.now() - self._moved > self.settings.stall_timeout:
            self._fail(Failure("stall", ()))

    def _note_steps(self) -> bool:
        """Take in the steps that are done; whether that changed the state."""
        assert self.attempt is not None
        workers = [r.worker for r in self._worker_reports() if r.worker]
        if len(workers) < len(self.attempt.chips):
            return False
        now, step = self.clock.now(), min(w.step for w in workers)
        if step > self.step:
            if self.state is State.TRAINING and self.proposal:
                pace = (now - self._moved) / (step - self.step)
                self.slowdown += 0.2 * (pace / self.proposal.step_time - self.slowdown)
            self.step, self._moved, self._fruitless = step, now, 0
        if all(w.code == 0 for w in workers):
            self._write("done", attempt=self.attempt.number, step=self.step)
            self._enter(State.DONE)
            return True
        if self.state is State.STARTING and self.step > (-1 if self.attempt.resume is None else self.attempt.resume):
            since = self._changed if self._failed_at is None else self._failed_at
            self.restart, self._failed_at = now - since, None
            self._write("training", attempt=self.attempt.number, step=self.step, seconds=round(self.restart, 3))
            self._enter(State.TRAINING)
            return True
        return False

    def _has_failed(self, is_training: bool) -> bool:
        assert self.attempt is not None
        now = self.clock.now()
        failure = find_failure(self.attempt, self.heard, self.node, now, self.settings, is_training)
        if failure is None:
            self._evidence = None
            return False
        self._evidence = now if self._evidence is None else self._evidence
        if failure.kind in CERTAIN or now - self._evidence >= self.settings.settle:
            self._fail(failure)
            return True
        return False

    def _fail(self, failure: Failure) -> None:
        assert self.attempt is not None
        now = self.clock.now()
        self.step = max(
            self.step, -1 if self.saved is None else self.saved
        )  # the last report may be older than the save
        self.failures += 1
        self._fruitless += 1
        self._failed_at = self._failed_at if self._failed_at is not None else now
        if failure.kind in SUSPECT:
            self.chips.suspect(failure.chips, now + self.settings.quarantine)
        self._write(
            "failure", attempt=self.attempt.number, kind=failure.kind, chips=list(failure.chips), step=self.step,
            saved=self.saved, **({"message": failure.message} if failure.message else {}),
            **({"workers": workers} if (workers := self.agents.describe(self.attempt, failure.chips)) else {}),
        )  # fmt: skip
        if self._fruitless >= self.settings.patience:
            self.reason = (
                f"{self._fruitless} failures in a row without one new step; the last: {failure.message or failure.kind}"
            )
            self._begin_fencing(State.FAILED)
        else:
            self._begin_fencing(State.PLANNING)

    # --- saving -----------------------------------------------------------------------------------------------

    def _begin_saving(self, then: State) -> None:
        """Have the workers save after the step they are in, and end: what is done is not done again."""
        assert self.attempt is not None
        self.agents.save_and_end(self.attempt)
        self._next = then
        self._enter(State.SAVING)

    def _watch_saving(self) -> None:
        assert self.attempt is not None
        workers = [r.worker for r in self._worker_reports() if r.worker]
        have_ended = len(workers) == len(self.attempt.chips) and all(w.code == 0 for w in workers)
        self.step = max([self.step, *(w.step for w in workers)]) if have_ended else self.step
        has_failed = (
            find_failure(self.attempt, self.heard, self.node, self.clock.now(), self.settings, True) is not None
        )
        if have_ended or has_failed or self.clock.now() - self._changed > self.settings.save_timeout:
            self._failed_at = self.clock.now()
            self._begin_fencing(self._next)

    # --- fencing ----------------------------------------------------------------------------------------------

    def _begin_fencing(self, then: State) -> None:
        self._next = then
        self._enter(State.FENCING)

    def _fence(self) -> None:
        """Go on when no worker of this or an earlier attempt can be alive: two attempts must never write together."""
        if self.attempt is not None and any(self._may_be_alive(node) for node in range(self.nodes)):
            if self._is_due():
                self.agents.stop(self.attempt.number)
            return
        self._write("fenced", attempt=self.number)
        if self._next is State.FAILED:
            self._write("give up", reason=self.reason)
        elif self._next is State.STOPPED:
            self._write("stopped", step=self.step, saved=self.saved)
        self._enter(self._next)

    def _may_be_alive(self, node: int) -> bool:
        heard = self.heard.get(node)
        if heard is None or heard.report.dead:
            return False
        is_silent = self.clock.now() - heard.at > self.agents.lease
        # A node that has not heard the stop may still start a worker, when the start comes late.
        has_stopped = heard.report.stopped >= self.number
        return not is_silent and not (has_stopped and not any(report.busy() for report in heard.report.chips))

    # --- growth -----------------------------------------------------------------------------------------------

    def _consider_growth(self) -> None:
        """Change to a plan for more chips when that wins back more than the restart costs; a checkpoint was just written."""
        assert self.attempt is not None and self.proposal is not None
        chips = min(len(self.free_chips()) + len(self.attempt.chips), self._most_chips())
        larger = self.planner.propose(chips)
        if larger is None or larger.plan.strategy.chips <= len(self.attempt.chips):
            return
        left = self.settings.steps - 1 - self.step
        gain = left * (self.proposal.step_time - larger.step_time) * self.slowdown
        if gain > GROWTH_MARGIN * self.restart:
            self._write("grow", attempt=self.attempt.number, chips=chips, gain=round(gain, 3), step=self.step)
            self._failed_at = self.clock.now()
            self._begin_fencing(State.PLANNING)
