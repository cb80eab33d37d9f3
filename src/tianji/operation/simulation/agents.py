"""The simulated agents: nodes that fail and come back, workers that step together, messages that get lost or come late."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from tianji.operation.protocols import Attempt, ChipReport, NodeReport, WorkerReport
from tianji.operation.simulation.environment import World
from tianji.operation.simulation.invariants import ChipTruth, Witness
from tianji.operation.simulation.nodes import LEASE, SimulatedChip, SimulatedNode, Worker
from tianji.operation.simulation.scenario import Scenario
from tianji.operation.simulation.store import SimulatedStore
from tianji.operation.simulation.training import Training
from tianji.units import Seconds

BEAT: Seconds = 4.0
"""Between two reports of a node."""
LEASE_CODE = 1
"""Exit code of a worker whose node lost its lease."""
NodeOrder = Callable[[SimulatedNode], None]


@dataclass
class SimulatedAgents:
    """All nodes, and the network between them and the controller."""

    world: World
    scenario: Scenario
    store: SimulatedStore
    witness: Witness
    lease: Seconds = LEASE
    nodes: list[SimulatedNode] = field(init=False)
    chips: list[SimulatedChip] = field(init=False)
    known_failed: set[int] = field(default_factory=set)
    """Chips whose last report that was heard calls them failed."""
    trainings: dict[int, Training] = field(default_factory=dict)
    inbox: list[NodeReport] = field(default_factory=list)

    def __post_init__(self) -> None:
        count = self.scenario.node
        self.chips = [SimulatedChip(i) for i in range(self.scenario.nodes * count)]
        self.nodes = [SimulatedNode(i, self.chips[i * count : (i + 1) * count]) for i in range(self.scenario.nodes)]
        for node in self.nodes:
            self.world.after(self.world.random.uniform(0.0, BEAT), partial(self._beat, node))

    # --- what the controller calls ----------------------------------------------------------------------------

    def poll(self) -> Sequence[NodeReport]:
        """Return what was heard since the last call."""
        reports, self.inbox = self.inbox, []
        return reports

    def start(self, attempt: Attempt) -> None:
        """Send each node the order to start its workers."""
        if attempt.number not in self.trainings:
            self.witness.check_start([self._truth_of(chip) for chip in attempt.chips], attempt.resume)
            self.trainings[attempt.number] = Training(
                attempt, self.world, self.scenario, self.store, self.witness, self.exit
            )
        for number in sorted({chip // self.scenario.node for chip in attempt.chips}):
            self._command(self.nodes[number], lambda node: self._start(node, attempt))

    def stop(self, attempt: int) -> None:
        """Send each node the order to end its workers."""
        for node in self.nodes:
            self._command(node, lambda node: self._stop(node, attempt))

    def save_and_end(self, attempt: Attempt) -> None:
        """Have an attempt save after the step it is in, and end."""
        self.trainings[attempt.number].is_asked_to_end = True

    def describe(self, attempt: Attempt, chips: Sequence[int]) -> Sequence[Mapping[str, object]]:
        """Return nothing: simulated workers say nothing."""
        return ()

    def _truth_of(self, number: int) -> ChipTruth:
        chip = self.chips[number]
        failed_for = None if chip.healthy else self.world.now() - chip.failed_at
        return ChipTruth(number, failed_for, number in self.known_failed, chip.is_busy())

    # --- the network ------------------------------------------------------------------------------------------

    def _is_lost(self, node: SimulatedNode) -> bool:
        return node.cut or self.world.random.random() < self.scenario.loss

    def _delay(self) -> Seconds:
        return self.world.random.uniform(0.01, self.scenario.delay)

    def _command(self, node: SimulatedNode, order: NodeOrder) -> None:
        def arrive() -> None:
            if node.up and not node.cut:
                order(node)

        if not self._is_lost(node):
            self.world.after(self._delay(), arrive)

    def tell(self, node: SimulatedNode, dead: bool = False) -> None:
        """Send a node's report; of a dead one, what somebody else found out."""
        node.serial += 1
        report = NodeReport(node.number, node.serial, tuple(self._describe(c) for c in node.chips), node.stopped, dead)
        sent = self.world.now()
        if not self._is_lost(node):
            self.world.after(self._delay(), lambda: self._hear(node, report, sent))

    def _describe(self, chip: SimulatedChip) -> ChipReport:
        worker = chip.worker
        if worker is None:
            return ChipReport(chip.number, chip.healthy)
        silence = 0.0 if worker.frozen_at is None else self.world.now() - worker.frozen_at
        return ChipReport(chip.number, chip.healthy, WorkerReport(worker.attempt, worker.step, silence, worker.code))

    def _hear(self, node: SimulatedNode, report: NodeReport, sent: Seconds) -> None:
        if node.cut:
            return
        self.inbox.append(report)
        if report.serial > node.heard:
            node.heard = report.serial
            for chip in report.chips:
                (self.known_failed.discard if chip.healthy and not report.dead else self.known_failed.add)(chip.chip)
        if not report.dead:
            self._command(node, lambda node: self._renew(node, sent + LEASE))

    # --- what a node does -------------------------------------------------------------------------------------

    def _beat(self, node: SimulatedNode) -> None:
        if node.up:
            if self.world.now() >= node.lease:
                self._end_workers(node)
            self.tell(node)
        self.world.after(BEAT, lambda: self._beat(node))

    def _renew(self, node: SimulatedNode, until: Seconds) -> None:
        node.lease = max(node.lease, until)
        # Exactly then, not at the next beat: the controller counts on it.
        self.world.after(max(until - self.world.now(), 0.0), lambda: self._expire(node))

    def _expire(self, node: SimulatedNode) -> None:
        if node.up and self.world.now() >= node.lease:
            self._end_workers(node)

    def _end_workers(self, node: SimulatedNode) -> None:
        for chip in node.chips:
            self.exit(chip, LEASE_CODE)

    def _start(self, node: SimulatedNode, attempt: Attempt) -> None:
        if attempt.number <= node.stopped or self.world.now() >= node.lease:
            return
        for chip in node.chips:
            if chip.number not in attempt.chips or (chip.worker and chip.worker.attempt >= attempt.number):
                continue
            self.witness.require(not chip.is_busy(), f"chip {chip.number} is booked twice")
            if chip.healthy:
                chip.worker = Worker(attempt.number)
                self.trainings[attempt.number].join(chip, chip.worker)
        self.tell(node)

    def _stop(self, node: SimulatedNode, attempt: int) -> None:
        node.stopped = max(node.stopped, attempt)
        for chip in node.chips:
            if chip.worker and chip.worker.attempt <= attempt:
                self.exit(chip, -15)
        self.tell(node)

    def exit(self, chip: SimulatedChip, code: int) -> None:
        """End the worker of a chip; its node notices unless it is gone too."""
        if chip.worker is None or chip.worker.code is not None:
            return
        chip.worker.code = code
        self.trainings[chip.worker.attempt].see_exit(chip.worker)
        node = self.nodes[chip.number // self.scenario.node]
        if node.up:
            self.tell(node)
