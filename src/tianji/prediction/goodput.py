"""The page where a predicted result meets failures: how much of its time becomes lasting progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tianji.catalog.failures import failures_of
from tianji.errors import EnvelopeError, UnknownNameError
from tianji.hardware import Pool
from tianji.hardware.failure_profile import FailureProfile
from tianji.parallel.strategy import Strategy
from tianji.ranges import Range
from tianji.reliability import Expectation, Reliability, expect
from tianji.reliability.checkpoints import Exposure
from tianji.reliability.expectation import expect_case
from tianji.reliability.failure_case import find_joint_case
from tianji.reliability.montecarlo import sample
from tianji.result import Result
from tianji.units import Bytes, Seconds
from tianji.workload import Job
from tianji.workload.adapters import num_trained

METHODS = ("auto", "closed", "montecarlo")


@dataclass(frozen=True, slots=True)
class Goodput:
    """Goodput of a plan: ``low`` with the most failures that the profile brackets, ``high`` with the fewest."""

    low: Expectation
    nominal: Expectation
    high: Expectation
    reliability: Reliability
    """The choices it holds for."""
    profiles: tuple[FailureProfile, ...]
    """The failure profiles that were used, each once: one for a pool."""
    chips: int
    caveat: str = ""
    """What a lost replica would need that the plan has not; empty where nothing lacks."""

    def __repr__(self) -> str:
        return f"Goodput({self.goodput.nominal:.4f} on {self.chips:,} chips, {self.spare_nodes:,} spare nodes)"

    @property
    def goodput(self) -> Range:
        """The share of wall-clock time that becomes lasting progress."""
        leans_on = "failure profiles " if len(self.profiles) > 1 else "failure profile "
        leans_on += ", ".join(profile.name for profile in self.profiles)
        return Range(self.low.goodput, self.nominal.goodput, self.high.goodput, leans_on)

    @property
    def profile(self) -> FailureProfile:
        """The failure profile of the pool."""
        return self.profiles[0]

    @property
    def spare_nodes(self) -> int:
        """Nodes that stand by beyond those that work: those given, or enough for the low case."""
        return self.nominal.spares

    @property
    def replicas(self) -> int:
        """Replicas of which a failure stops only one; 1: it stops the job."""
        return self.nominal.replicas

    def chip_hours(self, share: float, hours: float) -> float:
        """Return what a share of the time of all working chips is: times a price it is money.

        One point of goodput on 512 chips is 3,686 chip-hours in 30 days.
        """
        return share * self.chips * hours


def expect_goodput(
    result: Result, reliability: Reliability | None = None, *, method: str = "auto", jobs: int = 1000, seed: int = 0
) -> Goodput:
    """Return the goodput of a predicted or measured plan.

    >>> from tianji import Plan, Strategy, load_pool, make_job
    >>> from tianji.prediction import predict
    >>> plan = Plan(make_job("llama-3.1-70b"), load_pool("hgx-h100", 1024), Strategy(tp=8, pp=4, dp=32))
    >>> 0.9 < expect_goodput(predict(plan)).nominal.goodput < 1
    True

    ``method`` is ``closed`` (formulas, about a tenth of a millisecond), ``montecarlo`` (``jobs`` runs of the horizon from
    ``seed``) or ``auto``: closed where that holds within 1 %, else sampled. Tokens that last are ``result.tokens_per_s`` times
    the goodput.

    Raises EnvelopeError when ``closed`` does not hold, UnknownFigureError when the choices need a bandwidth of the pool that
    nobody published.
    """
    if method not in METHODS:
        raise UnknownNameError("method", method, METHODS)
    settings = reliability or Reliability()
    profile = settings.profile or failures_of(result.plan.pool.chip)
    exposure = find_exposure(result)
    goodput = _expect(settings, profile, exposure, method, jobs, seed)
    return replace(goodput, caveat=_find_caveat(result.plan.strategy, goodput))


def _expect(
    settings: Reliability, profile: FailureProfile, exposure: Exposure, method: str, jobs: int, seed: int
) -> Goodput:
    if method != "montecarlo":
        try:
            return _bracket(settings, profile, exposure, expect)
        except EnvelopeError:
            if method == "closed":
                raise
    return _bracket(settings, profile, exposure, partial(sample, jobs=jobs, seed=seed))


def _find_caveat(strategy: Strategy, goodput: Goodput) -> str:
    if goodput.replicas == 1 or not strategy.zero:
        return ""
    ranks = strategy.zero_group or strategy.dp * strategy.cp
    if ranks * strategy.tp * strategy.pp <= goodput.chips // goodput.replicas:
        return ""
    return (
        f"that asks for a copy elsewhere of what ZeRO spreads over {ranks:,} ranks, more than one replica has: cut it inside a"
        " replica (zero=3 with a zero_group) or keep it in another's memory too"
    )


def _bracket(
    settings: Reliability, profile: FailureProfile, exposure: Exposure, engine: Callable[..., Expectation]
) -> Goodput:
    # Many failures make the low goodput. Spares are bought once, for the worst rate that the profile brackets.
    low = engine(settings, profile, exposure, "high")
    nominal = engine(settings, profile, exposure, "nominal", low.spares)
    high = engine(settings, profile, exposure, "low", low.spares)
    return Goodput(low, nominal, high, settings, (profile,), exposure.chips)


def expect_goodput_of_parts(parts: Sequence[Exposure], settings: Reliability) -> Goodput:
    """Return the goodput of one job on several parts by the closed forms; a failure in any part stops the whole job.

    Raises EnvelopeError where they do not hold.
    """
    exposed = [(settings.profile or failures_of(part.pool.chip), part) for part in parts]
    worst = find_joint_case(settings, exposed, "high")
    spares = [stock.spares for stock in worst.stocks]
    nominal, high = (expect_case(find_joint_case(settings, exposed, case, spares)) for case in ("nominal", "low"))
    profiles = tuple({profile.name: profile for profile, _ in exposed}.values())
    return Goodput(expect_case(worst), nominal, high, settings, profiles, sum(part.chips for part in parts))


def find_exposure(result: Result) -> Exposure:
    """Return what failures can hit of a plan: its chips, and the bytes that a checkpoint holds.

    The whole state is every parameter once, with its optimizer state; the fullest chip writes its part of the optimizer and the
    same part of the weights. Where nothing says how the optimizer is shared out (a measured result, an offloaded optimizer) all
    chips write alike.
    """
    plan = result.plan
    return expose(plan.job, plan.pool, plan.strategy, result.memory.get("optimizer", 0.0), result.step_time.nominal)


def expose(job: Job, pool: Pool, strategy: Strategy, optimizer_bytes: Bytes, step_time: Seconds) -> Exposure:
    """Return what failures can hit of a strategy whose fullest chip has ``optimizer_bytes`` of the optimizer's state.

    ``step_time`` is in seconds.
    """
    weight, optimizer = job.precision.weight_size, job.precision.optimizer_size
    state = max(num_trained(job.model, job.task), 1) * (weight + optimizer)
    share = optimizer_bytes * (1.0 + weight / optimizer) if optimizer else 0.0
    if strategy.zero == 0:
        share /= strategy.dp
    return Exposure(
        pool=pool,
        chips=strategy.chips,
        model_chips=strategy.pp * max(strategy.tp * strategy.cp, strategy.ep * strategy.etp),
        step_time=step_time,
        state=state,
        share=max(share, state / strategy.chips),
    )
