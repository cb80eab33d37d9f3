"""Plan a job on a pool: search, then say what was found, what binds it, and why the obvious choice lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import gcd, prod
from typing import Any

from tianji.catalog import load_calibration
from tianji.errors import IllegalStrategyError, InfeasibleError
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.parallel.grid import Grid
from tianji.parallel.legality import is_legal, refusals
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import Strategy
from tianji.perf.memory import usable_memory
from tianji.prediction import predict, predict_together
from tianji.result import Result
from tianji.search.exhaustive import Candidate, SearchResult, explore
from tianji.search.options import SearchOptions
from tianji.search.space import divisors
from tianji.units import Seconds, show
from tianji.workload import Job

LINKS = {
    "tp_comm": "between tensor ranks",
    "cp_comm": "between context ranks",
    "ep_comm": "the experts' all_to_all",
    "pp_comm": "between pipeline stages",
    "dp_comm": "gradients and weights between data ranks",
}
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


@dataclass(frozen=True, slots=True, repr=False)
class Outcome:
    """What a search found: the best plans with the story behind them."""

    results: tuple[Result, ...]
    """The fastest plans, best first, each layout at its better placement."""
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

    @property
    def best(self) -> Result:
        """The fastest plan."""
        return self.results[0]

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
    """Return the fastest plans of a job on a pool, over the whole legal space.

    Every chip works, or the outcome says how many stand idle and why. ``changes`` are fields of
    :class:`~tianji.search.options.SearchOptions` that differ from ``options``: ``plan(job, pool, fixed={"tp": 8}, top=1)``.
    Without a calibration the shipped one counts.

    Raises InfeasibleError, with the closest miss, when nothing fits the memory, and IllegalStrategyError when no legal
    strategy has the fixed values.
    """
    calibration = load_calibration() if calibration is None else calibration
    options = replace(options or SearchOptions(), **changes)
    constants, fixed = calibration.constants(pool.chip), options.fixed
    # A layout has at most two placements: twice as many are kept, so that enough are left of unlike ones.
    twice = replace(options, top=2 * options.top)

    def search(chips: int) -> tuple[Pool, SearchResult]:
        used = replace(pool, chips=chips)
        result = explore(job, used, constants, twice)
        return used, replace(result, best=_unlike(result.best)[: options.top])

    tried = [search(_wanted(pool, fixed))]
    if not _holds_chips(fixed):
        numbers = _rounder(job, pool, tried[0][1]) if tried[0][1].best else _fewer(job, pool)
        for chips in numbers:
            tried.append(search(chips))
            if (
                not tried[0][1].best
                and tried[-1][1].candidates > MANY
                and sum(bool(result.best) for _, result in tried) == ENOUGH
            ):
                break
    fitting = [(used, result) for used, result in tried if result.best]
    if not fitting:
        raise _failure(job, pool, fixed, [result for _, result in tried])
    # Fewer chips can be faster: one node less may divide where one node more does not.
    used, fastest = min(fitting, key=lambda pair: pair[1].best[0].step_time)
    on_all = tried[0][1].best[0].step_time if tried[0][1].best and tried[0][0].chips == pool.chips else None
    return _outcome(job, pool, used, calibration, _together(fastest, [result for _, result in tried]), on_all)


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


def _rounder(job: Job, pool: Pool, result: SearchResult) -> list[int]:
    """Return smaller numbers of chips that may be faster than all.

    The batch limits the replicas to a common divisor; what is left over falls to the axes that communicate more. Those take
    powers of two well, so that a long search is not repeated for them.
    """
    left = pool.chips // gcd(pool.chips, job.global_batch_size)
    is_fine = left & (left - 1) == 0 and (pool.node % left == 0 or result.candidates > MANY)
    return [] if is_fine else _sharing(job, pool)


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
    job: Job, pool: Pool, used: Pool, calibration: Calibration, search: SearchResult, on_all: Seconds | None
) -> Outcome:
    naive = naive_strategy(job, used, calibration)
    shown = [c.strategy for c in (*search.best, *search.front)] + ([naive] if naive else [])
    predicted = predict_together(job, pool, shown, calibration)
    results, front = predicted[: len(search.best)], predicted[len(search.best) : len(search.best) + len(search.front)]
    idle = ""
    if used.chips < pool.chips:
        why = _why_idle(job, pool)
        if on_all is not None:
            why = f"the fastest plan on all of them takes {show(on_all, 'time')} a step"
        idle = (
            f"{pool.chips - used.chips:,} of {pool.chips:,} chips stand idle: {why}; of the smaller numbers"
            f" that were tried {used.chips:,} is the fastest. Try --chips {used.chips} or another --batch"
        )
    return Outcome(results, front, search, predicted[-1] if naive else None, _binding(results[0], search), idle)


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


def naive_strategy(job: Job, pool: Pool, calibration: Calibration | None = None) -> Strategy | None:
    """Return the rule-of-thumb layout: tp fills the node, experts over the node's ranks, the smallest pp that fits, dp the rest.

    None when the rule of thumb gives nothing legal.
    """
    fitting = [t for t in divisors(min(pool.node, pool.chips)) if job.model.num_attention_heads % t == 0]
    for tp in reversed(fitting):
        for pp in (p for p in divisors(pool.chips // tp) if p <= job.model.num_layers):
            dp = pool.chips // (tp * pp)
            ep = 1
            if job.model.moe:
                ep = max(e for e in divisors(job.model.moe.num_experts) if e <= pool.node and (tp * dp) % e == 0)
            s = Strategy(tp=tp, pp=pp, dp=dp, ep=ep)
            if is_legal(Grid.of(s), job, pool).all() and predict(Plan(job, pool, s), calibration).fits:
                return s
    return None


def _binding(best: Result, search: SearchResult) -> tuple[str, ...]:
    """Say what limits the best plan: memory, batch or links."""
    limits: list[str] = []
    filled = best.memory_total / best.memory_limit
    refused = 1.0 - search.feasible / max(search.candidates, 1)
    if filled > 0.9 or refused > 0.5:
        limits.append(
            f"memory: the fullest chip holds {show(best.memory_total, 'bytes')} of {show(best.memory_limit, 'bytes')} usable;"
            f" {refused:.0%} of the legal strategies do not fit"
        )
    share = {kind: seconds / best.step_time.nominal for kind, seconds in best.breakdown.items()}
    links = sum(value for kind, value in share.items() if kind.endswith("_comm"))
    if links > 0.1:
        worst = max((k for k in share if k.endswith("_comm")), key=lambda k: share[k])
        limits.append(
            f"links: exposed communication takes {links:.0%} of the step, most of it {LINKS[worst]} ({share[worst]:.0%})"
        )
    if share["bubble"] > 0.05:
        limits.append(
            f"batch: {best.plan.num_microbatches} micro-batches for {best.plan.strategy.pp} stages leave {share['bubble']:.0%}"
            " of the step to the bubble; a larger global batch would shrink it"
        )
    return tuple(limits) or ("compute: no other limit takes more than a tenth of the step",)


def _failure(job: Job, pool: Pool, fixed: Mapping[str, Any], misses: list[SearchResult]) -> Exception:
    closest = [search.closest for search in misses if search.closest]
    fields = ", ".join(f"{k}={v}" for k, v in fixed.items())
    holding = f" with {fields}" if fields else ""
    if not closest:
        return IllegalStrategyError(
            f"no legal strategy for {job.model.name} on {pool.chips:,} chips{holding} and a global batch of"
            f" {job.global_batch_size}: {_why_illegal(job, pool, fixed)}"
        )
    best = min(closest, key=lambda c: c.memory)
    limit = usable_memory(pool)
    names = ("tp", "pp", "cp", "ep", "dp", "zero", "micro_batch_size", "recompute")
    layout = " ".join(f"{n}={getattr(best.strategy, n)}" for n in names)
    return InfeasibleError(
        f"no plan for {job.model.name} fits {pool.chips:,} chips of {pool.name}{holding}: the closest ({layout}) needs"
        f" {show(best.memory, 'bytes')} on a chip, {show(best.memory - limit, 'bytes')} more than the usable"
        f" {show(limit, 'bytes')}. Take more chips, a shorter --seq, a narrower --precision, or release what --fix holds."
    )


def _why_illegal(job: Job, pool: Pool, fixed: Mapping[str, Any]) -> str:
    known = {k: v for k, v in fixed.items() if k not in ("dp",)}
    try:
        probe = Strategy(**known)
    except TypeError:
        return "check the fixed fields"
    degrees, reasons = probe.tp * probe.pp * probe.cp, []
    if pool.chips % degrees:
        # No number of replicas goes with it: any would only add reasons that nobody asked for.
        reasons, rest = [f"tp·pp·cp = {degrees} does not divide {pool.chips:,} chips"], 1
    else:
        rest = pool.chips // degrees
    whole = job.seq_len % (probe.tp * probe.cp) == 0
    filled = {"dp": rest, "sequence_parallel": whole} | {
        k: v for k, v in fixed.items() if k in ("dp", "sequence_parallel")
    }
    reasons += refusals(replace(probe, **filled), job, pool)
    return "; ".join(reasons) or "chips, batch and degrees do not divide each other; try another --batch or --chips"
