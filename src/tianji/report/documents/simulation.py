"""The document of ``tianji operate --simulate``: the events of a simulated operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from tianji.operation.simulation import Play


class SimulationDocument(TypedDict):
    """All that ``tianji operate --simulate`` answers."""

    document: Literal["simulation"]
    seed: int
    state: str
    """How it ended."""
    simulated_s: float
    failures: int
    """Failures that were injected."""
    events: list[dict[str, Any]]
    """In order. Each has ``n``, ``at`` (simulated seconds) and ``event``; the other keys are those of the event."""


def simulation_document(played: Play) -> SimulationDocument:
    """Return how a simulated operation went."""
    return {
        "document": "simulation",
        "seed": played.seed,
        "state": played.state.value,
        "simulated_s": played.seconds,
        "failures": played.failures,
        "events": [dict(event) for event in played.log.events],
    }
