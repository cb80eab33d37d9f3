"""Plan a job on a pool: search, then say what was found, what binds it, and why the obvious choice lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import gcd, prod
from typing import Any

from tianji.catalog import load_calibration
from tianji.catalog.architectures import find_mixture
from tianji.formatting import format_percent
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.measurements.records import Record, find_largest_micro_batch
from tianji.parallel.software_fields import hold_fields
from tianji.parallel.strategy import Strategy
from tianji.prediction import predict, predict_together
from tianji.result import Result
from tianji.search.binding import find_binding
from tianji.search.candidate import Candidate
from tianji.search.choice import Choice, choose
from tianji.search.exhaustive import SearchResult, explore, keep_front
from tianji.search.naive import naive_strategy
from tianji.search.options import SearchOptions
from tianji.search.refinement import name_stages
from tianji.search.refusal import explain_failure
from tianji.search.sizes import HELD, MOST, NearSize, coarse_time, find_near, find_smaller, search_smaller
from tianji.search.space import divisors
from tianji.units import Seconds, show
from tianji.workload import Job

AXES = ("tp", "pp", "cp", "dp")
"""The degrees whose product is the number of chips."""
RETREATS = 12
"""How many smaller numbers of chips are tried when no strategy uses all of them."""
NEAR = 2 / 3
"""The smallest share of the chips that is tried for dividing well."""
FEW_NODES = 8
"""Up to so many nodes chips are left idle one by one, beyond node by node."""
MANY = 2_000_000
"""Strategies of a search that is too long to be made again: where all chips divide well enough, or smaller numbers work."""
ENOUGH = 2
"""Numbers that work, after which long searches end."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """The largest micro-batch that was ever measured of such a model, and the best plan within it."""

    record: Record | None
    """None: no run of such a model was measured."""
    within: Result | None
    """None: no plan fits with micro-batches as small."""


@dataclass(frozen=True, slots=True, repr=False)
class Outcome:
    """What a search found: the best plans with the story behind them."""

    results: tuple[Result, ...]
    """The best plans, first that of the least expected regret; the fastest first where there is no choice."""
    front: tuple[Result, ...]
    """Pareto front of time against memory, fastest first."""
    search: SearchResult
    """What the search counted, over all numbers of chips that were tried."""
    naive: Result | None
    """The obvious choice: tensor parallel inside the node, the smallest pipeline that fits, data parallel for the rest."""
    binding: tuple[str, ...]
    """What limits the best plan, in words."""
    idle_reason: str
    """Why chips stand idle; empty when none does."""
    choice: Choice | None = None
    """How sure the choice of the best plan is; None where the calibration knows no ranges."""
    near: NearSize | None = None
    """The smallest number of chips that does nearly as well; None where none was found."""
    micro_batch: MicroBatch | None = None
    """Where the best plan has larger micro-batches than were ever measured: the largest, and the best plan within."""
    dealt: Result | None = None
    """Where the search named the stages of the best plan: the same with its layers dealt out."""

    @property
    def best(self) -> Result:
        """The best plan."""
        return self.results[0]

    @property
    def expected_step_time(self) -> Seconds:
        """The best plan's step time, corrected for having been chosen as the best of so many."""
        nominal = self.best.step_time.nominal
        return self.choice.correct(nominal) if self.choice else nominal

    def __repr__(self) -> str:
        counts = f"{len(self.results)} of {self.search.feasible:,} that fit, {self.search.candidates:,} legal"
        return f"Outcome({self.results[0].plan!r}: {show(self.results[0].step_time.nominal, 'time')} a step; {counts})"


def plan(
    job: Job,
    pool: Pool,
    calibration: Calibration | None = None,
    options: SearchOptions | None = None,
    **changes: Any,
) -> Outcome:
    """Return the best plans of a job on a pool, over the whole legal space.

    Every chip works, or the outcome says how many stand idle and why. ``changes`` are fields of
    :class:`~tianji.search.options.SearchOptions` that differ from ``options``: ``plan(job, pool, fixed={"tp": 8}, top=1)``.
    Without a calibration the shipped one counts.

    Raises InfeasibleError, with the closest miss, when nothing fits the memory, and IllegalStrategyError when no legal
    strategy has the fixed values.
    """
    calibration = (load_calibration() if calibration is None else calibration).training(find_mixture(job.model))
    options = replace(options or SearchOptions(), **changes)
    options = replace(options, fixed=hold_fields(calibration, pool.chip, options.fixed, options.extra))
    constants, fixed = calibration.constants(pool.chip), options.fixed
    # A layout has at most two placements: twice as many are kept, so that enough are left of unlike ones.
    twice = replace(options, top=2 * options.top)

    def search(chips: int, reached: Seconds = float("inf")) -> tuple[Pool, SearchResult]:
        used = replace(room, chips=chips)
        return used, explore(job, used, constants, replace(twice, reached=reached))

    room = replace(pool, usable_memory=pool.usable_memory * (1.0 - options.margin))
    asks_smaller = options.smaller is None and not _holds_chips(fixed)
    coarse = coarse_time(job, room, constants, fixed) if asks_smaller else float("inf")
    tried, smaller = (
        [search(_wanted(pool, fixed), coarse if fixed.keys() <= HELD else float("inf"))],
        options.smaller or (),
    )
    if not _holds_chips(fixed):
        if asks_smaller:
            smaller = find_smaller(job, room, constants, fixed, coarse)
        tried += [search_smaller(job, room, constants, twice, s) for s in smaller[:MOST]]
        for chips in _fewer(job, pool) if not any(result.best for _, result in tried) else ():
            tried.append(search(chips))
            working = sum(bool(result.best) for _, result in tried)
            if tried[-1][1].candidates > MANY and working == ENOUGH:
                break
    fitting = [(used, result) for used, result in tried if result.best]
    if not fitting and options.margin:
        return _without_reserve(job, pool, calibration, options)
    if not fitting:
        raise explain_failure(job, pool, fixed, [result for _, result in tried])
    # Fewer chips can be faster: one node less may divide where one node more does not. Of equal ones the first has most.
    used, fastest = min(fitting, key=lambda pair: pair[1].best[0].step_time)
    fastest = replace(fastest, best=_unlike(fastest.best)[: options.top])
    on_all = tried[0][1].best[0].step_time if tried[0][1].best and tried[0][0].chips == pool.chips else None
    outcome = _outcome(
        job, pool, used, calibration, _together(fastest, [result for _, result in tried]), on_all, options
    )
    fewer = tuple(s for s in smaller if s.chips < used.chips)
    near = find_near(job, room, constants, fixed, fewer, outcome.best.step_time.nominal)
    return replace(outcome, near=near)


def _without_reserve(job: Job, pool: Pool, calibration: Calibration, options: SearchOptions) -> Outcome:
    """Return the outcome of a search that no plan with the reserve came out of."""
    outcome = plan(job, pool, calibration, replace(options, margin=0.0))
    left = 1.0 - outcome.best.memory_total / outcome.best.memory_limit
    reserve = format_percent(options.margin, 0)
    first = f"memory: no plan leaves the reserve of {reserve}; this one leaves {format_percent(left)} of what is usable"
    return replace(outcome, binding=(first, *outcome.binding))


def _unlike(best: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Leave out what differs from a faster one in its placement alone: it would fill the list with the same layouts."""
    seen: dict[Strategy, Candidate] = {}
    for c in best:
        seen.setdefault(replace(c.strategy, placement=Strategy().placement), c)
    return tuple(seen.values())


def _together(chosen: SearchResult, tried: list[SearchResult]) -> SearchResult:
    """Return what was chosen with the counts and the seconds of all searches that were made."""
    return replace(
        chosen,
        candidates=sum(f.candidates for f in tried),
        feasible=sum(f.feasible for f in tried),
        seconds=sum(f.seconds for f in tried),
    )


def _holds_chips(fixed: Mapping[str, Any]) -> bool:
    return all(fixed.get(name) is not None for name in AXES)


def _wanted(pool: Pool, fixed: Mapping[str, Any]) -> int:
    """Return the chips that the held degrees take, where all are held; all of the pool's otherwise."""
    return prod(int(fixed[name]) for name in AXES) if _holds_chips(fixed) else pool.chips


def _step(pool: Pool) -> int:
    return pool.node if pool.chips > FEW_NODES * pool.node else 1


def _fewer(job: Job, pool: Pool) -> list[int]:
    """Return smaller numbers of chips to try where all do not work: first what shares most with the batch, then powers of two."""
    step = _step(pool)
    fewer = [c for c in range(pool.chips - pool.chips % step, 0, -step) if c < pool.chips]
    # The largest counts, and among those at most a third smaller the ones that divide most often by two.
    near = sorted((c for c in fewer if c >= NEAR * pool.chips), key=lambda c: (-_twos(c), -c))[: RETREATS // 2]
    rest = sorted({*fewer[: RETREATS // 2], *near}, key=lambda c: (-_twos(c), -c))
    sharing = _sharing(job, pool)
    return list(dict.fromkeys([*sharing[-1:], *rest, *sharing]))


def _sharing(job: Job, pool: Pool) -> list[int]:
    """Return the largest number of chips for each larger divisor that it shares with the batch, the largest number first."""
    common = gcd(pool.chips, job.global_batch_size)
    numbers: list[int] = []
    step = _step(pool)
    for c in range((pool.chips - 1) // step * step, int(NEAR * pool.chips), -step):
        if gcd(c, job.global_batch_size) > common:
            common = gcd(c, job.global_batch_size)
            numbers.append(c)
    return numbers


def _twos(n: int) -> int:
    return (n & -n).bit_length()


def _outcome(
    job: Job, pool: Pool, used: Pool, calibration: Calibration, search: SearchResult, on_all: Seconds | None,
    options: SearchOptions,
) -> Outcome:  # fmt: skip
    named = name_stages(job, used, calibration.constants(used.chip), search, options)
    choice, ranked = rank(job, used, calibration, search, named)
    naive = naive_strategy(job, used, calibration)
    best = ranked[: options.top]
    dealt = [replace(best[0], stages="")] if best[0].stages and named else []
    front_of_all = keep_front(sorted([*search.front, *named.values()], key=lambda c: (c.step_time, c.memory)))
    shown = [*best, *(c.strategy for c in front_of_all), *dealt] + ([naive] if naive else [])
    predicted = predict_together(job, pool, shown, calibration)
    results, front = predicted[: len(best)], predicted[len(best) : len(best) + len(front_of_all)]
    idle = ""
    if used.chips < pool.chips:
        why = _why_idle(job, pool)
        if on_all is not None:
            why = f"the fastest plan on all of them takes {show(on_all, 'time')} a step"
        idle = (
            f"{pool.chips - used.chips:,} of {pool.chips:,} chips stand idle: {why}; of the smaller numbers"
            f" that were tried {used.chips:,} is the fastest. Try --chips {used.chips} or another --batch"
        )
    binding = find_binding(results[0], search.feasible, search.candidates)
    micro_batch = _weigh_micro_batch(results[0], ranked, used, calibration, options)
    return Outcome(
        results, front, search, predicted[-1] if naive else None, binding, idle, choice, None, micro_batch,
        predicted[len(best) + len(front)] if dealt else None,
    )  # fmt: skip


def rank(
    job: Job,
    used: Pool,
    calibration: Calibration,
    search: SearchResult,
    named: Mapping[Strategy, Candidate] | None = None,
) -> tuple[Choice | None, tuple[Strategy, ...]]:
    """Return the choice among the leading layouts of a search, and all its strategies, the best first.

    Those that ``named`` maps to others give way to these.
    """
    named = named or {}
    leading = [c.strategy for c in search.shortlist]
    times = {c.strategy: c.step_time for c in _unlike(search.best)}
    beside = [dealt for dealt in named if dealt not in times and dealt not in leading]
    times |= {dealt: one.step_time for dealt, one in named.items()}

    def final(strategies: Iterable[Strategy]) -> list[Strategy]:
        return [named[s].strategy if s in named else s for s in strategies]

    choice = choose(job, used, calibration, final([*beside, *leading]))
    fastest = final(sorted(times, key=lambda s: times[s]))
    return choice, tuple(dict.fromkeys([*(choice.strategies if choice else ()), *fastest]))


def _weigh_micro_batch(
    best: Result, ranked: Sequence[Strategy], used: Pool, calibration: Calibration, options: SearchOptions
) -> MicroBatch | None:
    """Return the largest measured micro-batch and the best plan within it, where the best plan has a larger one."""
    plan = best.plan
    record = find_largest_micro_batch(plan.job.model, plan.job.seq_len)
    most = int(record.value) if record else 1
    if plan.strategy.micro_batch_size <= most or "micro_batch_size" in options.fixed:
        return None
    within = next((s for s in ranked if s.micro_batch_size <= most), None)
    if within is None:
        small = replace(options, most_micro_batch=most)
        constants = calibration.constants(used.chip)
        search = explore(plan.job, used, constants, small)
        named = name_stages(plan.job, used, constants, search, small) if search.best else {}
        within = next(iter(rank(plan.job, used, calibration, search, named)[1]), None)
    return MicroBatch(record, predict(replace(plan, strategy=within), calibration) if within else None)


def _why_idle(job: Job, pool: Pool) -> str:
    """Say why no strategy uses all chips: the prime factor that no axis takes, where there is one."""
    takes = (job.model.num_attention_heads, job.seq_len, job.global_batch_size)
    for prime in (p for p in divisors(pool.chips) if p > 1 and len(divisors(p)) == 2):
        power = prime
        while pool.chips % (power * prime) == 0:
            power *= prime
        if all(n % prime for n in takes) and power > job.model.num_layers:
            return (
                f"no axis takes the factor {power:,} of {pool.chips:,} (it divides neither heads, nor sequence, nor the"
                f" batch of {job.global_batch_size:,}, and there are only {job.model.num_layers} layers)"
            )
    return f"no strategy that is legal with a global batch of {job.global_batch_size:,} and fits the memory uses all of them"
