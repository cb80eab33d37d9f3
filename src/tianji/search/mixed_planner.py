"""Plan a job on a mixture: unlike chips side by side or one after the other, or the best part alone where mixing loses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tianji.catalog import load_calibration
from tianji.catalog.architectures import find_mixture
from tianji.errors import IllegalStrategyError, InfeasibleError, InputError
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.hardware.constants import Constants
from tianji.hardware.mixture import Mixture
from tianji.parallel.legality import describe_misfit
from tianji.parallel.plan import Plan
from tianji.parallel.stages import read_stages
from tianji.parallel.strategy import Strategy
from tianji.prediction import predict
from tianji.ranges import Range
from tianji.result import Result
from tianji.search.coarse import find_roomy
from tianji.search.mixed_batches import Division, divide_batch
from tianji.search.mixed_stages import Chain, chain_stages
from tianji.search.options import SearchOptions
from tianji.search.planner import plan
from tianji.units import DAY, Seconds, show
from tianji.workload import Job


@dataclass(frozen=True, slots=True)
class Alone:
    """The best plan of one part that does the whole job by itself, or why it cannot."""

    pool: Pool
    result: Result | None
    reason: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class MixedOutcome:
    """The best ways to use a mixture, and the one to take."""

    job: Job
    mixture: Mixture
    division: Division | None
    """Side by side: uneven batches."""
    chain: Chain | None
    """One after the other: uneven layers."""
    alone: tuple[Alone, ...]
    choice: str
    """``batches``, ``stages``, or ``alone``: mixing is refused because a part by itself is at least as fast."""
    step_time: Range
    verdict: str

    def __repr__(self) -> str:
        name, step_time = self.job.model.name, show(self.step_time.nominal, "time")
        return f"MixedOutcome({name} on {self.mixture.name}, {self.choice}: {step_time} a step)"

    @property
    def taken_alone(self) -> Result | None:
        """The plan of the part that does the whole job; None where the parts are mixed."""
        return _fastest_alone(self.alone) if self.choice == "alone" else None

    @property
    def chips(self) -> int:
        """Chips that work under the choice."""
        return self.taken_alone.plan.strategy.chips if self.taken_alone else self.mixture.chips

    @property
    def tokens_per_s(self) -> float:
        """Tokens of the whole job in a second."""
        return self.job.tokens_per_step / self.step_time.nominal

    @property
    def days(self) -> float | None:
        """Days for the job's tokens without any failure, or None when the job states none."""
        return self.job.tokens / self.tokens_per_s / DAY if self.job.tokens else None


def plan_mixture(
    job: Job,
    mixture: Mixture,
    calibration: Calibration | None = None,
    *,
    fixed: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
    is_narrow: bool = False,
) -> MixedOutcome:
    """Return the fastest way to train a job on a mixture.

    Both kinds of mixing use every chip; a part alone lets the others stand idle and is taken only where mixing is no faster.
    ``is_narrow`` looks at fewer cuts, divisions and splits, in about a quarter of the time.

    Raises InfeasibleError when neither mixing nor any part alone has a plan that fits, IllegalStrategyError for a task with a
    teacher and for stages that do not fit the model.
    """
    if job.task.teacher is not None:
        raise IllegalStrategyError(
            f"task {job.task.describe()}: a teacher is priced on a pool of one chip, not on a mixture"
        )
    if (fixed or {}).get("stages"):
        _check_layers(str((fixed or {})["stages"]), job)
    calibration = (load_calibration() if calibration is None else calibration).training(find_mixture(job.model))
    fixed_fields = dict(fixed or {})

    def constants(pool: Pool) -> Constants:
        return calibration.constants(pool.chip)

    find_alone = _alone_narrowly if is_narrow else _alone
    alone = tuple(find_alone(job, part, calibration, fixed_fields) for part in mixture.parts)
    division = divide_batch(job, mixture, constants, fixed_fields, progress, is_narrow=is_narrow)
    chain = chain_stages(job, mixture, constants, fixed_fields, progress, is_narrow=is_narrow)
    single = _fastest_alone(alone)
    times: dict[str, Seconds] = {}
    if division:
        times["batches"] = division.step_time
    if chain:
        times["stages"] = chain.step_time
    if not times and single is None:
        reasons = "; ".join(f"{a.pool.name}: {a.reason}" for a in alone)
        raise InfeasibleError(f"no plan for {job.model.name} on {mixture.name}, mixed or on one part alone. {reasons}")
    best_mix = min(times, key=lambda kind: times[kind], default="alone")
    is_refused = best_mix == "alone" or (single is not None and single.step_time.nominal <= times[best_mix])
    choice = "alone" if is_refused else best_mix
    seconds = single.step_time.nominal if choice == "alone" and single else times[choice]
    # A part alone is a pool, whose range is its own.
    step_time = single.step_time if choice == "alone" and single else _range(alone, job, calibration, seconds)
    return MixedOutcome(
        job, mixture, division, chain, alone, choice, step_time,
        _verdict(mixture, division, chain, single, choice, seconds),
    )  # fmt: skip


def _check_layers(stages: str, job: Job) -> None:
    """Refuse stages that no pipeline of the model can have."""
    chunks = len(read_stages(stages).layers)
    if misfit := describe_misfit(Strategy(pp=chunks, stages=stages), job):
        raise IllegalStrategyError(misfit)


def _alone(job: Job, part: Pool, calibration: Calibration, fixed: Mapping[str, Any]) -> Alone:
    try:
        return Alone(part, plan(job, part, calibration, SearchOptions(fixed=fixed, top=1, uneven="named")).results[0])
    except InputError as error:
        return Alone(part, None, str(error))


def _alone_narrowly(job: Job, part: Pool, calibration: Calibration, fixed: Mapping[str, Any]) -> Alone:
    best = find_roomy(job, part, calibration.constants(part.chip), fixed=fixed)
    if best is None:
        return Alone(part, None, "nothing that was looked at is legal and fits")
    return Alone(part, predict(Plan(job, part, best.strategy), calibration))


def _fastest_alone(alone: tuple[Alone, ...]) -> Result | None:
    results = [a.result for a in alone if a.result]
    return min(results, key=lambda r: r.step_time.nominal, default=None)


def _range(alone: tuple[Alone, ...], job: Job, calibration: Calibration, seconds: Seconds) -> Range:
    """The widest of the parts' ranges: nobody has measured a mixture."""
    moe = job.model.moe is not None
    spreads = [calibration.spread(a.pool.chip, moe=moe, chips=a.pool.chips) for a in alone]
    bases = sorted({s.basis for s in spreads if s.basis})
    # A part that cannot run the job alone has no plan whose constants could be doubted.
    times = [a.result.step_time for a in alone if a.result]
    low = min([s.low for s in spreads] + [t.low / t.nominal for t in times])
    high = max([s.high for s in spreads] + [t.high / t.nominal for t in times])
    leans = f"{', '.join(bases)} on the parts; the mixture itself is not measured" if bases else ""
    return Range(seconds * low, seconds, seconds * high, leans)


def _verdict(
    mixture: Mixture,
    division: Division | None,
    chain: Chain | None,
    single: Result | None,
    choice: str,
    seconds: Seconds,
) -> str:
    link = show(mixture.joint.rate(mixture.name), "bandwidth")
    if choice == "alone" and single:
        tried = [f"side by side {show(division.step_time, 'time')}"] if division else []
        tried += [f"in one pipeline {show(chain.step_time, 'time')}"] if chain else []
        reason = f"; mixed it would take {' and '.join(tried)} over a joint link of {link}" if tried else ""
        nothing = "" if tried else "; no mixed plan is legal and fits every part"
        return (
            f"Do not mix: {single.plan.pool.name} alone takes {show(single.step_time.nominal, 'time')} a step"
            f"{reason}{nothing}."
        )
    gain = f"{single.step_time.nominal / seconds:.2f} times as fast as {single.plan.pool.name} alone" if single else ""
    how = "side by side, with uneven batches" if choice == "batches" else "in one pipeline, with uneven layers"
    alone = gain or "and no part can do the job alone"
    return f"Mix: {how}, {alone}; the parts meet over {link} for each chip."
