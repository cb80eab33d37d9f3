"""Expected goodput of a job and where its time goes: the closed forms together.

Waiting for spares, the cycles of each level of saved states, silent corruption and stragglers are factors of the goodput. The
losses are exclusive: each is a share of what those before it leave, and together they are 1 - goodput.

Source of the cycles: Daly 2006 (:mod:`tianji.reliability.renewal`); of the wait for spares: Erlang's loss formula
(:mod:`tianji.reliability.spares`). That the factors multiply is shown in ``docs/reliability.md`` and held against samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tianji.errors import EnvelopeError
from tianji.formatting import format_percent
from tianji.hardware.failure_profile import FailureProfile
from tianji.reliability.checkpoints import Exposure
from tianji.reliability.failure_case import FailureCase, find_case
from tianji.reliability.multilevel_checkpoints import LEAST
from tianji.reliability.settings import Reliability
from tianji.units import DAY, Seconds

LOST = (
    "checkpointing", "lost_work", "detection", "restart", "waiting_for_spares", "missing_replicas", "silent_corruption",
    "stragglers",
)  # fmt: skip
"""Where time goes that is no progress."""

MOST_EDGE = 0.005
"""Losses times the longest cycle's share of the run, beyond which it matters that a run begins fresh and ends anywhere."""
MOST_WAITING = 0.1
LEAST_INSIDE = 0.5
"""Useful share of the levels inside another, below which their spread matters."""
MOST_LACKING = 0.05
"""Replicas without a node, beyond which it matters that those that wait cannot fail again."""
MOST_STALLED = 0.5
"""Share of time in stalls of all replicas, beyond which stalls overlap with the recoveries of replicas."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """Goodput in one case, and where the rest of the time goes.

    ``losses`` are shares of wall-clock time by kind, which add up to 1 - goodput. ``intervals`` are the training times between
    two checkpoints to each store, ``spares`` the nodes that stand by beyond those that work, ``spares_needed`` those that this
    case asks for. ``failures`` are events a day by component.
    """

    goodput: float
    losses: Mapping[str, float]
    mtbf: Seconds
    """Mean time between failures that stop the job, or one of its replicas."""
    intervals: Mapping[str, Seconds]
    save_time: Seconds
    """How long one checkpoint to storage stops the training."""
    drain_time: Seconds
    """How long storage then goes on writing; an interval is never shorter."""
    recovery_time: Seconds
    """Mean time from a failure until training goes on, loading included, without the work that is repeated."""
    spares: int
    spares_needed: int
    failures: Mapping[str, float]
    replicas: int = 1
    """Of which a failure stops only one; 1: it stops the job."""
    standard_error: float = 0.0
    """Of the goodput, where it was sampled (:func:`tianji.reliability.montecarlo.sample`); 0 for the closed form."""


def expect(
    settings: Reliability, profile: FailureProfile, exposure: Exposure, case: str = "nominal", spares: int | None = None
) -> Expectation:
    """Return the expected goodput of a job by the closed forms.

    Args:
        settings: What the user chooses: stores, interval, rung, spares, length of the run.
        profile: Rates and times of failures, each with its range.
        exposure: The chips that can fail, and the bytes that they hold.
        case: ``low`` (few failures), ``nominal`` or ``high``.
        spares: Nodes that stand by; None: those of the settings, or as many as this case needs.

    Raises EnvelopeError where the closed forms do not hold (:func:`check_envelope`).
    """
    return expect_case(find_case(settings, profile, exposure, case, spares))


def expect_case(case: FailureCase) -> Expectation:
    """Return the expected goodput of a case by the closed forms.

    Raises EnvelopeError where they do not hold.
    """
    check_envelope(case)
    losses = dict.fromkeys(LOST, 0.0)
    left = _lose_nodes(losses, case)
    left = _lose_replicas(losses, left, case) if case.is_replica_lost else _lose_cycles(losses, left, case)
    corrupted = case.corruption_rate * case.corruption_delay
    left = _lose(losses, "silent_corruption", left, corrupted / (1.0 + corrupted))
    left = _lose(losses, "stragglers", left, case.straggle)
    return summarize(case, left, losses)


def summarize(
    case: FailureCase, goodput: float, losses: Mapping[str, float], standard_error: float = 0.0
) -> Expectation:
    """Return the expectation of a case with its ``goodput`` and its ``losses``, shares of wall-clock time by kind.

    ``standard_error`` is that of the goodput, where it was sampled.
    """
    return Expectation(
        goodput=min(max(goodput, LEAST), 1.0),
        losses=losses,
        mtbf=case.mtbf,
        intervals={} if case.is_replica_lost else {c.level.name: c.work for c in case.cycles if c.level.name != "step"},
        save_time=case.storage.stop,
        drain_time=case.storage.drain,
        recovery_time=case.recovery_time,
        spares=case.spares,
        spares_needed=case.spares_needed,
        failures={hazard.component: hazard.rate * DAY for hazard in case.hazards},
        replicas=case.replicas if case.is_replica_lost else 1,
        standard_error=standard_error,
    )


def check_envelope(case: FailureCase) -> None:
    """Refuse a case that the closed forms do not describe within 1 %, and say why.

    They hold for failures without memory and recoveries of a fixed length, in a run that is long beside its cycles, with little
    waiting for spares, where the inner levels leave at least half of the time and stalls take at most half.

    Raises EnvelopeError otherwise.
    """
    settings = case.settings
    if settings.shape != 1:
        _refuse(f"failures come by a Weibull distribution of shape {settings.shape:g}, which remembers")
    if settings.recovery_spread:
        _refuse(f"recoveries scatter log-normally by {settings.recovery_spread:g}")
    is_waiting = settings.replacement == "spare" and not case.is_replica_lost
    waiting = case.waiting if is_waiting else 0.0
    if waiting > MOST_WAITING:
        _refuse(f"{case.spares} spares leave the job waiting {format_percent(waiting, 0)} of the time")
    if case.is_replica_lost:
        lacking = _lacking_replicas(case)
        if lacking > MOST_LACKING:
            _refuse(f"{case.spares} spares leave {format_percent(lacking, 0)} of the replicas waiting")
        stalled = case.rate * case.reconfigure
        if stalled / (1.0 + stalled) > MOST_STALLED:
            _refuse(f"all replicas stand still {format_percent(stalled / (1.0 + stalled), 0)} of the time")
        return
    inside = math.prod(cycle.useful for cycle in case.cycles[:-1])
    if inside < LEAST_INSIDE:
        _refuse(
            f"failures that roll back to a newer checkpoint leave {format_percent(inside, 0)} of the time to those of the"
            " storage"
        )
    lost = 1.0 - inside * (case.cycles[-1].useful if case.cycles else 1.0)
    longest = max((cycle.interval + cycle.save.stop for cycle in case.cycles), default=0.0) + case.recovery_time
    if lost * longest > MOST_EDGE * settings.horizon:
        _refuse(f"a cycle of {longest:,.0f} s is not short beside a run of {settings.horizon / DAY:g} days")


def _refuse(reason: str) -> None:
    raise EnvelopeError(
        f"the closed form of goodput does not hold: {reason}; sample it instead, which a pool of one chip can "
        "(`tianji goodput --method montecarlo`, or method='auto' in Python)"
    )


def _lose(losses: dict[str, float], kind: str, left: float, share: float) -> float:
    losses[kind] += left * share
    return left * (1.0 - share)


def _lose_nodes(losses: dict[str, float], case: FailureCase) -> float:
    """Return what waiting for spares leaves of the time, or, without spares, the replicas that lack a node."""
    if case.settings.replacement == "spare" and not case.is_replica_lost:
        return _lose(losses, "waiting_for_spares", 1.0, case.waiting)
    if case.settings.replacement == "spare":
        lacking = _lacking_replicas(case)
        return _lose(losses, "waiting_for_spares", 1.0, lacking / (1.0 + lacking))
    # Each node away takes its whole replica along; each replica is whole a share e^(-away / replicas) of the time.
    return _lose(losses, "missing_replicas", 1.0, -math.expm1(-case.nodes_away / case.replicas))


def _lacking_replicas(case: FailureCase) -> float:
    """Return the replicas without a node, to those that have all: only those wait for which no spare is left."""
    if case.settings.replacement == "shrink":
        return 0.0
    return case.lacking / case.replicas


def _lose_cycles(losses: dict[str, float], left: float, case: FailureCase) -> float:
    """Return what failures of the whole job leave of the time: the outermost level first, the others in what it leaves."""
    for cycle in reversed(case.cycles):
        for kind, share in cycle.losses.items():
            losses[kind] += left * share
        left *= cycle.useful
    return left


def _lose_replicas(losses: dict[str, float], left: float, case: FailureCase) -> float:
    """Return what is left when a failure stops one replica: the others stall briefly and go on without it.

    A replica that comes back copies the state of another, so that no finished step is lost and checkpoints are a matter of
    safety, not of speed. Its recovery runs on while the others stall; beside their work it is away for r = (R - stall) times
    the share of time in which anybody works, and up a share 1 / (1 + rate · r / replicas).
    """
    stalls = case.rate * case.reconfigure
    beyond = max(case.recovery_time - case.reconfigure, 0.0) / (1.0 + stalls)
    up = 1.0 / (1.0 + case.rate / case.replicas * beyond)
    left = _lose(losses, "restart", left, stalls * up / (1.0 + stalls * up))
    return _lose(losses, "missing_replicas", left, 1.0 - up)
