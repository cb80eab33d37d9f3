"""The page where a predicted result meets failures: how much of its time becomes lasting progress."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tianji.catalog.failures import failures_of
from tianji.reliability import Expectation, Reliability, expect
from tianji.reliability.checkpoints import Exposure
from tianji.result import Range, Result


@dataclass(frozen=True, slots=True)
class Goodput:
    """Goodput of a plan: ``low`` with the most failures that the profile brackets, ``high`` with the fewest."""

    low: Expectation
    nominal: Expectation
    high: Expectation
    reliability: Reliability
    """The choices it holds for, with the failure profile that was used."""
    chips: int

    @property
    def goodput(self) -> Range:
        """The share of wall-clock time that becomes lasting progress."""
        profile = self.reliability.profile
        leans_on = f"failure profile {profile.name}" if profile else ""
        return Range(self.low.goodput, self.nominal.goodput, self.high.goodput, leans_on)

    @property
    def spare_nodes(self) -> int:
        """Nodes that stand by beyond those that work: those given, or enough for the low case."""
        return self.nominal.spares

    def lost_chip_hours(self, kind: str, hours: float) -> float:
        """Return the chip-hours of ``hours`` of wall-clock time that one kind of loss takes, in the nominal case."""
        return self.nominal.losses[kind] * self.chips * hours


def expect_goodput(result: Result, reliability: Reliability | None = None) -> Goodput:
    """Return the goodput of a predicted or measured plan.

    >>> from tianji import Plan, Strategy, load_pool, make_job, predict
    >>> plan = Plan(make_job("llama-3.1-70b"), load_pool("hgx-h100", 1024), Strategy(tp=8, pp=4, dp=32))
    >>> 0.9 < expect_goodput(predict(plan)).nominal.goodput < 1
    True

    It costs about a tenth of a millisecond. Tokens that last are ``result.tokens_per_s`` times the goodput.

    Raises UnknownFigureError when the choices need a bandwidth of the pool that nobody published.
    """
    settings = reliability or Reliability()
    pool = result.plan.pool
    profile = settings.profile or failures_of(pool.chip)
    exposure = find_exposure(result)
    # Many failures make the low goodput. Spares are bought once, for the worst rate that the profile brackets.
    low = expect(settings, profile, exposure, "high")
    nominal, high = (expect(settings, profile, exposure, case, low.spares) for case in ("nominal", "low"))
    if settings.profile is None:
        settings = replace(settings, profile=profile)
    return Goodput(low, nominal, high, settings, exposure.chips)


def find_exposure(result: Result) -> Exposure:
    """Return what failures can hit of a plan: its chips, and the bytes that a checkpoint holds.

    The whole state is every parameter once, with its optimizer state; the fullest chip writes its part of the optimizer and
    its share of the weights, of which each data-parallel rank holds the same, unless ZeRO has divided them already.
    """
    strategy, job = result.plan.strategy, result.plan.job
    state = job.model.num_parameters * (job.precision.weight_size + job.precision.optimizer_size)
    weights, optimizer = result.memory.get("weights", 0.0), result.memory.get("optimizer", 0.0)
    copies = strategy.dp
    share = weights / (1 if strategy.zero >= 3 else copies) + optimizer / (copies if strategy.zero == 0 else 1)
    return Exposure(
        pool=result.plan.pool,
        chips=strategy.chips,
        model_chips=strategy.tp * strategy.pp * strategy.cp,
        step_time=result.step_time.nominal,
        state=state,
        share=max(share, state / strategy.chips),
    )
