"""What goes wrong in a simulated pool, and how it is put right."""

from __future__ import annotations

from tianji.operation.simulation.agents import SimulatedAgents
from tianji.operation.simulation.nodes import SimulatedChip, SimulatedNode
from tianji.units import Seconds

KINDS = {"chip": 3, "crash": 4, "freeze": 2, "stall": 2, "node": 2, "cut": 2}
"""Kinds of faults, with how often they come beside each other."""


class FailureInjection:
    """Breaks something now and then, until the scenario's quiet end."""

    def __init__(self, agents: SimulatedAgents) -> None:
        self.agents, self.world, self.scenario = agents, agents.world, agents.scenario
        self.count = 0
        self._seen = 0
        self._plan_next()

    def _plan_next(self) -> None:
        self.world.after(self.world.random.expovariate(1.0 / self.scenario.failure_gap), self._strike)

    def _strike(self) -> None:
        if self.world.now() < self.scenario.faulty_until:
            self._break_something()
            self._plan_next()

    def watch_starts(self) -> None:
        """Now and then strike again while the job is starting."""
        while self._seen < len(self.agents.trainings):
            self._seen += 1
            if self.world.now() < self.scenario.faulty_until and self.world.random.random() < self.scenario.again:
                delay = self.world.random.uniform(0.0, 2.0 * self.scenario.start_time)
                self.world.after(delay, self._break_something)

    def _break_something(self) -> None:
        self.count += 1
        self.agents.witness.see_change(self.world.now())
        (kind,) = self.world.random.choices(list(KINDS), list(KINDS.values()))
        node = self.world.random.choice(self.agents.nodes)
        chip = self.world.random.choice(node.chips)
        if kind == "chip":
            self._fail_chip(node, chip)
        elif kind == "crash":
            self.agents.exit(chip, self.world.random.choice((-9, -11, 1)))
        elif kind == "freeze" and chip.worker and chip.worker.code is None:
            chip.worker.frozen_at = self.world.now()
        elif kind == "stall" and chip.worker:
            self.agents.trainings[chip.worker.attempt].stalled = True
        elif kind == "node":
            self._fail_node(node)
        elif kind == "cut" and not node.cut:
            node.cut = True
            self.world.after(self.world.random.uniform(1.0, 60.0), lambda: self._join(node))

    def _mend_time(self) -> Seconds:
        return self.world.random.uniform(0.2, 2.0) * self.scenario.repair

    def _fail_chip(self, node: SimulatedNode, chip: SimulatedChip) -> None:
        if not chip.healthy:
            return
        chip.healthy, chip.failed_at = False, self.world.now()
        self.agents.exit(chip, -6)
        if node.up:
            self.agents.tell(node)
        self.world.after(self._mend_time(), lambda: self._mend_chip(chip))

    def _mend_chip(self, chip: SimulatedChip) -> None:
        chip.healthy = True
        self.agents.witness.see_change(self.world.now())

    def _fail_node(self, node: SimulatedNode) -> None:
        if not node.up:
            return
        node.up = False
        for chip in node.chips:
            self.agents.exit(chip, -9)
        if self.world.random.random() < 0.5:  # somebody who watches over the power supply says so
            self.agents.tell(node, dead=True)
        self.world.after(self._mend_time(), lambda: self._boot(node))

    def _boot(self, node: SimulatedNode) -> None:
        node.up, node.stopped, node.lease = True, 0, self.world.now() + self.agents.lease
        for chip in node.chips:
            chip.worker = None
        self.agents.witness.see_change(self.world.now())

    def _join(self, node: SimulatedNode) -> None:
        node.cut = False
        self.agents.witness.see_change(self.world.now())
