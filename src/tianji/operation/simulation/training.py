"""Simulated training: the workers of one attempt meet, load, step together and save beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tianji.operation.protocols import Attempt
from tianji.operation.simulation.environment import World
from tianji.operation.simulation.invariants import Witness
from tianji.operation.simulation.nodes import SimulatedChip, Worker
from tianji.operation.simulation.scenario import Scenario
from tianji.operation.simulation.store import SimulatedStore

NOTICE = 5.0
"""Longest time until the other ranks see that one has gone; some never do and wait for ever."""


class Training:
    """What the workers of one attempt do together; ``end_worker`` ends the one of a chip with an exit code."""

    def __init__(
        self, attempt: Attempt, world: World, scenario: Scenario, store: SimulatedStore, witness: Witness,
        end_worker: Callable[[SimulatedChip, int], None],
    ) -> None:  # fmt: skip
        self.attempt, self.world, self.scenario, self.store, self.witness = attempt, world, scenario, store, witness
        self._end_worker = end_worker
        self.workers: dict[int, Worker] = {}
        self.chips: dict[int, SimulatedChip] = {}
        self.step = -1 if attempt.resume is None else attempt.resume
        self.stalled = False
        self.broken = False
        self.saving: int | None = None
        self.is_asked_to_end = False
        self.last = scenario.steps - 1

    def join(self, chip: SimulatedChip, worker: Worker) -> None:
        """Let a worker start up; now and then that takes very long."""
        world, scenario = self.world, self.scenario
        worker.step = self.step
        took = scenario.start_time * world.random.uniform(1.0, 1.5)
        if world.random.random() < 0.02:
            took += world.random.uniform(30.0, 400.0)
            self.witness.see_change(world.now() + took)
        if chip.number in self.workers:
            self.broken = True  # one that came back after its node's restart cannot meet the others
        self.workers[chip.number], self.chips[chip.number] = worker, chip
        world.after(took, lambda: self._arrive(worker))

    def _arrive(self, worker: Worker) -> None:
        worker.has_started = worker.code is None
        if self._can_go_on() and all(w.has_started for w in self.workers.values()):
            self.store.load(self.attempt.resume, self.attempt.number)
            self.world.after(self._step_time(), self._finish_step)

    def _can_go_on(self) -> bool:
        complete = len(self.workers) == len(self.attempt.chips) and not self.broken and not self.stalled
        return complete and all(w.code is None and w.frozen_at is None for w in self.workers.values())

    def _step_time(self) -> float:
        chips = len(self.attempt.chips)
        return self.scenario.step_time * self.world.random.uniform(0.95, 1.2) * (1.0 + 4.0 / chips)

    def _finish_step(self) -> None:
        if not self._can_go_on():
            return
        world, scenario, done = self.world, self.scenario, self.step + 1
        self.last = done if self.is_asked_to_end else scenario.steps - 1
        is_last = done == self.last
        is_due = is_last or (done + 1) % self.attempt.checkpoint_every == 0
        if is_due and self.saving is not None:
            world.after(0.1, self._finish_step)  # the save before it must be done first
            return
        self.step = done
        for worker in self.workers.values():
            worker.step = done
        self.witness.see_change(world.now())
        if is_due:
            self._begin_save()
        if not is_last:
            world.after(self._step_time(), self._finish_step)

    def _begin_save(self) -> None:
        step, self.saving = self.step, self.step
        self.store.begin(step, self.attempt.number)
        world = self.world
        world.after(self.scenario.save_time * world.random.uniform(0.5, 2.0), lambda: self._commit(step))

    def _commit(self, step: int) -> None:
        # A frozen or lost worker has not written its part: the checkpoint stays torn.
        if any(w.code is not None or w.frozen_at is not None for w in self.workers.values()):
            return
        self.saving = None
        self.store.commit(step, self.attempt.number)
        if step == self.last:
            for chip in self.chips.values():
                self._end_worker(chip, 0)

    def see_exit(self, worker: Worker) -> None:
        """Let the other ranks notice, some of them never."""
        if worker.code == 0:
            return
        world = self.world
        for chip, other in [(self.chips[n], w) for n, w in sorted(self.workers.items()) if w.code is None]:
            if world.random.random() < 0.8:
                world.after(world.random.uniform(0.0, NOTICE), partial(self._give_up, chip, other))

    def _give_up(self, chip: SimulatedChip, worker: Worker) -> None:
        if chip.worker is worker and worker.frozen_at is None:
            self._end_worker(chip, 1)
