"""What a seed stands for: a pool, a job and how badly things go."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tianji.units import Seconds


@dataclass(frozen=True, slots=True)
class Scenario:
    """The figures of one simulated operation; times in seconds."""

    nodes: int
    node: int
    spares: int
    steps: int
    step_time: Seconds
    save_time: Seconds
    start_time: Seconds
    """Shortest time from a worker's start until it could step."""
    failure_gap: Seconds
    """Mean time between faults, anywhere in the pool."""
    faulty_until: Seconds
    """Afterwards nothing new breaks, what is broken is repaired, and the job must end."""
    loss: float
    """Share of messages that get lost, either way."""
    delay: Seconds
    """Longest delay of a message."""
    repair: Seconds
    """Mean time of a repair."""
    again: float
    """Chance that a start draws a second fault while the job recovers."""


def draw_scenario(seed: int) -> Scenario:
    """Return the scenario of a seed.

    >>> draw_scenario(7) == draw_scenario(7)
    True
    """
    draw = Random(f"scenario {seed}")
    nodes = draw.randint(2, 4)
    return Scenario(
        nodes=nodes,
        node=draw.choice((1, 2, 4)),
        spares=draw.randint(0, nodes - 1) if draw.random() < 0.5 else 0,
        steps=draw.randint(30, 100),
        step_time=draw.uniform(0.5, 2.5),
        save_time=draw.uniform(0.1, 10.0),
        start_time=draw.uniform(1.0, 20.0),
        failure_gap=draw.uniform(15.0, 150.0),
        faulty_until=draw.uniform(100.0, 800.0),
        loss=draw.choice((0.0, 0.02, 0.1, 0.25)),
        delay=draw.choice((0.05, 0.5, 3.0)),
        repair=draw.uniform(20.0, 400.0),
        again=draw.uniform(0.0, 0.4),
    )
