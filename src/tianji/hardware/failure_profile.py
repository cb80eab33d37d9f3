"""What fails in a pool, how often, and how long it takes to put right: published rates as a profile, with their sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tianji.hardware.figure import Figure

COMPONENTS = ("chip", "memory", "node", "link", "software", "optics", "switch", "cabinet", "unit", "power")
"""What can fail, in the order of what goes down with it: from a chip to everything behind one feed."""
DOMAINS = ("switch", "cabinet", "unit", "power")
"""Components that take several nodes down at once."""
RUNGS = ("in-process", "process", "pod", "job")
"""The recovery ladder, fastest first: repeat the step, restart the ranks of one node, restart its container, restart all."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One line of a study of failures: ``count`` of its events had this cause, in a ``component``."""

    name: str
    component: str
    per: str
    """What the rate grows with: ``chip`` or ``node``."""
    count: Figure


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung of the recovery ladder.

    ``detection`` is the time until the failure is noticed, ``restart`` until the job could go on, loading apart; ``covers``
    the share of each component's failures that this rung can put right.
    """

    name: str
    detection: Figure
    restart: Figure
    covers: Mapping[str, Figure]


@dataclass(frozen=True)
class FailureProfile:
    """Rates and times of failures. Spans of a figure are its low and high case.

    ``node_rate`` is the number of failures in a day that stop a synchronous job, for ``node`` chips of one host, from all
    causes; ``causes`` say how they divide. Yearly rates are events of one component in a year.
    """

    name: str
    title: str
    node_rate: Figure
    node: int
    causes: tuple[Cause, ...]
    rungs: tuple[Rung, ...]
    optics_rate: Figure
    """Of one optical module in a year, before masking."""
    optics_masked: Figure
    """Share of module failures that the links beside it absorb, so that the job goes on."""
    switch_share: Figure
    """Share of link failures that are of a whole switch."""
    corruption_rate: Figure
    """Silent corruptions of one chip in a year that no check catches at once."""
    corruption_delay: Figure
    """From a silent corruption until somebody sees it: that work is lost too."""
    straggle: Figure
    """Share of time lost to chips and links that are slow for a while."""
    repair: Figure
    """Until a failed node is back."""
    reconfigure: Figure
    """Stall of all replicas when one of them drops out or comes back."""
    host_bandwidth: Figure
    """From one chip's memory into its host's, one direction."""
    storage_bandwidth: Figure
    """Of the whole job to remote storage."""
    domain_rates: Mapping[str, Figure] = field(default_factory=dict)
    """Yearly rates of one switch, cabinet, unit or power feed, where somebody published or supplied one."""
    chips: tuple[str, ...] = ()
    """The chips that this profile is for; empty for the profile of all others."""
    notes: tuple[str, ...] = ()

    @cached_property
    def events(self) -> float:
        """Events that the causes account for."""
        return sum(cause.count.value for cause in self.causes)

    @cached_property
    def shares(self) -> tuple[tuple[str, str, float], ...]:
        """For each component and what it grows with, its share of all events."""
        shares: dict[tuple[str, str], float] = {}
        for cause in self.causes:
            key = cause.component, cause.per
            shares[key] = shares.get(key, 0.0) + cause.count.value / self.events
        return tuple((component, per, share) for (component, per), share in shares.items())
