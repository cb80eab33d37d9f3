"""Play an operation in a simulated pool from a seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tianji.catalog import load_calibration, load_pool
from tianji.operation.controller import ENDS, Controller, State
from tianji.operation.event_log import EventLog
from tianji.operation.planner import SearchPlanner
from tianji.operation.settings import Settings
from tianji.operation.simulation.agents import SimulatedAgents
from tianji.operation.simulation.environment import World
from tianji.operation.simulation.failure_injection import FailureInjection
from tianji.operation.simulation.invariants import Witness
from tianji.operation.simulation.scenario import Scenario, draw_scenario
from tianji.operation.simulation.store import SimulatedStore
from tianji.units import Seconds
from tianji.workload import Job, Model, find_precision

TICK: Seconds = 4.0
MOST_TIME: Seconds = 200_000.0


@dataclass(frozen=True, slots=True)
class Play:
    """How a simulated operation went."""

    seed: int
    scenario: Scenario
    log: EventLog
    failures: int
    state: State
    seconds: Seconds
    """Simulated."""

    def __repr__(self) -> str:
        return (
            f"Play(seed {self.seed}: {self.state.value}, {len(self.log.events):,} events, {self.failures:,} failures)"
        )


def play(seed: int, path: Path | None = None) -> Play:
    """Play the operation of a seed to its end; the same seed gives the same events, byte for byte.

    Raises InvariantError when the controller breaks a promise.
    """
    scenario, world, witness = draw_scenario(seed), World(seed), Witness(seed)
    store = SimulatedStore(witness)
    agents = SimulatedAgents(world, scenario, store, witness)
    failures = FailureInjection(agents)
    planner = _planner(scenario.node)
    settings = Settings(
        steps=scenario.steps, spares=scenario.spares, stall_timeout=120.0, start_timeout=120.0, heartbeat_timeout=15.0,
        node_timeout=30.0, quarantine=60.0, patience=100,
    )  # fmt: skip
    log = EventLog(path)
    controller = Controller(
        scenario.nodes, scenario.node, settings, planner=planner, clock=world, agents=agents, store=store, log=log
    )

    def tick() -> None:
        controller.advance()
        healthy = sum(c.healthy for node in agents.nodes if node.up and not node.cut for c in node.chips)
        witness.check_progress(world.now(), planner.propose(healthy) is not None, controller.state.value)
        world.after(TICK, tick)

    tick()
    while controller.state not in ENDS:
        world.step()
        if agents.inbox:
            controller.advance()
            failures.watch_starts()
        witness.require(world.now() < MOST_TIME, "the operation does not end")
    witness.require(
        controller.state is State.DONE, f"the operation ended as {controller.state.value}: {controller.reason}"
    )
    witness.require(witness.best == scenario.steps - 1, "done without a checkpoint of the last step")
    log.close()
    return Play(seed, scenario, log, failures.count, controller.state, world.now())


@cache
def _planner(node: int) -> SearchPlanner:
    """Return the real planner for a small model; what it finds serves all seeds."""
    model = Model(
        name="small", family="llama", hidden_size=2048, num_layers=8, num_attention_heads=16, num_key_value_heads=8,
        head_dim=128, intermediate_size=8192, vocab_size=32000,
    )  # fmt: skip
    pool = replace(load_pool("hgx-h100", 2 * node), node=node)
    return SearchPlanner(
        Job(model, 2048, 16, find_precision("bf16")), pool, load_calibration(), mtbf=3600.0, save_time=0.5
    )
