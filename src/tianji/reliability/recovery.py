"""The recovery ladder: which rung puts a failure right, and which checkpoint the job then goes on from.

Times and covers of rungs have their sources in the failure profile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tianji.hardware.failure_profile import DOMAINS, RUNGS, FailureProfile, Rung
from tianji.reliability.checkpoints import Save
from tianji.reliability.hazards import Hazard
from tianji.reliability.settings import Reliability
from tianji.units import Seconds

LEVELS = ("step", "local", "peer", "storage")
"""What a failure rolls the job back to: the start of its step, or the newest checkpoint in one of the stores."""
PROCESS_ONLY = ("software", "link", "optics")
"""Components whose failure leaves the memory of the host as it was."""


@dataclass(slots=True)
class Level:
    """All failures that roll back to the same kind of saved state."""

    name: str
    rate: float = 0.0
    """Of failures, for each second."""
    recoveries: list[tuple[float, Seconds, Seconds]] = field(default_factory=list)
    """Rate, detection and restart (loading included) of each way to get here."""

    def add(self, rate: float, detection: Seconds, restart: Seconds) -> None:
        """Count failures of one more way to get to this level: ``rate`` a second, ``detection`` and ``restart`` in seconds."""
        self.rate += rate
        self.recoveries.append((rate, detection, restart))


def assign(
    hazards: Iterable[Hazard], settings: Reliability, profile: FailureProfile, saves: Mapping[str, Save]
) -> list[Level]:
    """Return the levels that failures roll back to, the cheapest first, each with its failures.

    Each rung in use takes its share of a component's failures and leaves the rest to the rungs below; the job rung takes all.

    Args:
        hazards: Failures a second of each component.
        settings: The fastest rung in use, and the user's own recovery time (s).
        profile: What each rung covers (a share), and how long it takes (s).
        saves: What loading from each store in use takes (s).
    """
    levels = {name: Level(name) for name in LEVELS if name == "step" or name in saves}
    rungs = profile.rungs[RUNGS.index(settings.recovery) :]
    for hazard in hazards:
        left = hazard.rate
        for rung in rungs:
            cover = rung.covers.get(hazard.component)
            share = 1.0 if rung.name == "job" else cover.value if cover else 0.0
            if left * share > 0:
                name = find_level(hazard.component, rung.name, saves)
                levels[name].add(left * share, *_recovery(rung, name, settings, saves))
            left *= 1.0 - share
    return list(levels.values())


def find_level(component: str, rung: str, saves: Mapping[str, Save]) -> str:
    """Return the newest saved state that outlives a failure of a ``component`` which a ``rung`` puts right.

    ``saves`` has the stores in use.

    Memory of the own host survives only what leaves its processes' host alone, a peer's memory the loss of any one node;
    neither survives the loss of several nodes at once, nor a restart of the whole job.
    """
    if rung == "in-process":
        return "step"
    if rung == "process" and component in PROCESS_ONLY and "local" in saves:
        return "local"
    if rung != "job" and component not in DOMAINS and "peer" in saves:
        return "peer"
    return "storage"


def _recovery(rung: Rung, level: str, settings: Reliability, saves: Mapping[str, Save]) -> tuple[Seconds, Seconds]:
    detection = rung.detection.value
    if settings.recovery_time is not None and rung.name != "in-process":
        detection = min(detection, settings.recovery_time)
        return detection, settings.recovery_time - detection
    load = saves[level].load if level in saves else 0.0
    return detection, rung.restart.value + load
