"""Compare pools: the best plan on each for the same work, side by side, and one sentence of verdict.

Every ratio of two pools is that of the one named later over the one named earlier: in verdicts, tables, pages and JSON.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tianji.comparison.assessment import Assumptions, assess_predicted
from tianji.comparison.batches import AtBatch, describe_batches, weigh_batches, weigh_round_batches
from tianji.comparison.common_terms import divide, pin_shared
from tianji.comparison.measures import MEASURES, Assessed
from tianji.comparison.mixed_assessment import MixedAssessment, assess_mixture
from tianji.errors import FormatError, InfeasibleError
from tianji.formatting import format_range
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.hardware.mixture import Mixture
from tianji.ranges import Range
from tianji.search import plan
from tianji.search.mixed_planner import plan_mixture
from tianji.search.options import MARGIN
from tianji.workload import Job


@dataclass(frozen=True, slots=True)
class Comparison:
    """The best plan on each pool, the first being the one that the others are set against."""

    assessments: tuple[Assessed, ...]
    verdicts: tuple[str, ...]
    """One sentence for speed and, where the prices are known, one for cost."""
    pinned: tuple[tuple[Assessed, ...], ...] = ()
    """The same with what all pools share at its low, its nominal and its high end."""
    batches: tuple[AtBatch, ...] = ()
    """The pools at other batches, and at their own."""

    def __repr__(self) -> str:
        return f"Comparison({', '.join(a.name for a in self.assessments)}; {len(self.verdicts):,} verdicts)"

    def ratio(self, key: str, place: int, base: int = 0) -> Range | None:
        """Return a measure of one pool over that of another; what both share is the same for both.

        None where one of them is not known, and of MFUs of unlike peaks: shares of unlike wholes have no ratio.
        """
        measure = next(m for m in MEASURES if m.key == key)
        if key == "mfu" and _peak(self.assessments[place]) != _peak(self.assessments[base]):
            return None
        pairs = [(every[place], every[base]) for every in self.pinned]
        return divide(measure.of, self.assessments[place], self.assessments[base], pairs)

    @property
    def batch(self) -> int:
        """Sequences of a step of all plans."""
        return self.assessments[0].job.global_batch_size

    @property
    def batch_line(self) -> str:
        """How the useful tokens of one of the two fastest pools over the other move with the batch, in words."""
        later, earlier = find_leaders(self.assessments)
        return describe_batches(self.batches, self.batch, later, earlier)

    def ratios(self, key: str) -> tuple[Range | None, ...]:
        """Return a measure of each pool over that of the first."""
        return tuple(self.ratio(key, place) for place in range(len(self.assessments)))


def compare(
    cases: Sequence[tuple[Job, Pool | Mixture]], calibration: Calibration, assumptions: Assumptions | None = None,
    progress: Callable[[int], None] | None = None, *, batches: Sequence[int] = (),
) -> Comparison:  # fmt: skip
    """Return the best plan on each pool, exhaustively searched, with what it means.

    ``batches`` are searched alike; without them the round batches around the job's own are, narrowly.

    Raises FormatError for fewer than two pools, InfeasibleError where nothing fits.
    """
    if len(cases) < 2:
        raise FormatError("expected at least two pools to compare, like 1024xhgx-h100 768xcloudmatrix384")

    def search(job: Job, pool: Pool | Mixture) -> Assessed:
        if isinstance(pool, Mixture):
            return assess_mixture(plan_mixture(job, pool, calibration, progress=progress), assumptions)
        best = plan(job, pool, calibration, top=1, margin=MARGIN, uneven="named", progress=progress).results[0]
        return assess_predicted(best, assumptions)

    def try_search(job: Job, pool: Pool | Mixture) -> Assessed | None:
        try:
            return search(job, pool)
        except InfeasibleError:
            return None

    beside = set_side_by_side([search(*case) for case in cases], assumptions)
    if batches:
        points = weigh_batches(beside.assessments, beside.batch, batches, try_search)
    else:
        points = weigh_round_batches(beside.assessments, calibration, assumptions)
    return replace(beside, batches=points)


def set_side_by_side(assessments: Sequence[Assessed], assumptions: Assumptions | None = None) -> Comparison:
    """Return a comparison of plans that are known."""
    pinned = pin_shared(assessments, assumptions)
    return Comparison(tuple(assessments), describe_verdicts(assessments, pinned), pinned)


def describe_verdicts(assessments: Sequence[Assessed], pinned: Sequence[Sequence[Assessed]] = ()) -> tuple[str, ...]:
    """Return a sentence on speed and one on cost: who is ahead and what decides it, or that the ranges overlap.

    Where a price is unknown, a sentence says of which pools.
    """
    places = range(len(assessments))
    verdicts = [_verdict(assessments, places, pinned, SPEED)]
    priced = [i for i in places if assessments[i].cost is not None]
    if len(priced) > 1:
        verdicts.append(_verdict(assessments, priced, pinned, COST))
        verdicts += _describe_footing([assessments[i] for i in priced])
    if len(priced) < len(assessments):
        lacking = ", ".join(format_pool(a) for a in assessments if a.cost is None)
        verdicts.append(f"No verdict on cost{' with the others' * (len(priced) > 1)}: no price is known of {lacking}.")
    return tuple(verdicts)


def _describe_footing(priced: Sequence[Assessed]) -> list[str]:
    """Return a sentence where some pools are rented and others bought: their costs are of unlike kinds."""
    rented, bought = ([a for a in priced if a.basis == basis] for basis in ("rent", "own"))
    if not rented or not bought:
        return []
    names = [" and ".join(map(format_pool, pools)) for pools in (rented, bought)]
    are = ["is" if len(pools) == 1 else "are" for pools in (rented, bought)]
    return [
        f"These costs are of two kinds: {names[0]} {are[0]} rented, {names[1]} {are[1]} bought. Buying all of them (--buy) may"
        " turn the verdict."
    ]


def rank_by_speed(assessments: Sequence[Assessed]) -> list[int]:
    """Return the places of some plans, the most useful tokens first."""
    return sorted(range(len(assessments)), key=lambda i: -assessments[i].useful.nominal)


def find_leaders(assessments: Sequence[Assessed]) -> tuple[int, int]:
    """Return the places of the two fastest plans, that of the pool named later first: the order of their ratio."""
    one, other = rank_by_speed(assessments)[:2]
    return max(one, other), min(one, other)


def format_pool(a: Assessed) -> str:
    """Return a pool with its chips, like ``1,024 × hgx-h100``."""
    return a.name


def _peak(a: Assessed) -> float | None:
    """Return the FLOP/s that an MFU is of; None for a mixture, whose peaks are unlike."""
    return None if isinstance(a, MixedAssessment) else a.result.peak


@dataclass(frozen=True, slots=True)
class _Contest:
    """What a verdict is about."""

    what: str
    says: str
    """The ratio in words: ``later`` and ``earlier`` are pools, ``times`` the ratio."""
    of: Callable[[Assessed], Range | None]
    is_cost: bool
    factors: Callable[[Assessed, Assessed], dict[str, float]]
    """Of the ratio; they multiply to it."""


def _verdict(
    assessments: Sequence[Assessed], places: Sequence[int], pinned: Sequence[Sequence[Assessed]], contest: _Contest
) -> str:
    spans = {i: span for i in places if (span := contest.of(assessments[i])) is not None}
    best, second = sorted(spans, key=lambda i: spans[i].nominal, reverse=not contest.is_cost)[:2]
    later, earlier = max(best, second), min(best, second)
    pair = assessments[later], assessments[earlier]
    ratio = divide(contest.of, *pair, [(every[later], every[earlier]) for every in pinned]) or Range.exactly(1.0)
    names = format_pool(pair[0]), format_pool(pair[1])
    says = contest.says.format(later=names[0], earlier=names[1], times=format_range(ratio, "{:.2f}".format))
    if ratio.low <= 1 <= ratio.high:
        return (
            f"No verdict on {contest.what}: {says}, a range with 1 in it."
            f" {_decider(pair, (spans[later], spans[earlier]), contest.is_cost)}"
        )
    parts = contest.factors(*pair)
    ranked = sorted(parts, key=lambda name: -abs(math.log(parts[name])))
    moving = [name for name in ranked if f"{parts[name]:.2f}" != "1.00"] or ranked[:1]
    reasons = ", ".join(f"{name} ×{parts[name]:.2f}" for name in moving[:3])
    ahead = f"{format_pool(assessments[best])} is ahead on {contest.what}: {says}"
    return f"{ahead}; it is decided by {reasons}."


def _decider(pair: tuple[Assessed, Assessed], spans: tuple[Range, Range], is_cost: bool) -> str:
    """Return which figure, if it were known, would narrow two ranges most, and whether that would decide."""
    every = [(i, name, factor) for i, a in enumerate(pair) for name, factor in _uncertain_factors(a, is_cost).items()]
    place, name, widest = max(every, key=lambda one: one[2].high / one[2].low)
    span = spans[place]
    low, high = span.low * widest.nominal / widest.low, span.high * widest.nominal / widest.high
    known = Range(min(low, span.nominal), span.nominal, max(high, span.nominal))
    after = "would still overlap" if known.overlaps(spans[1 - place]) else "would no longer overlap"
    a, ends = pair[place], f"{widest.low / widest.nominal:.2f} to {widest.high / widest.nominal:.2f} times the nominal"
    chips = " and ".join(dict.fromkeys(part.pool.chip.name for part in a.parts))
    asked = {"step time": f"a measured step of {a.job.model.name} on {a.place.name}", "goodput": "its failure rate",
             "price": f"a firm price of {chips}"}[name]  # fmt: skip
    why = f", {a.step_time.leans_on}" if name == "step time" and a.step_time.leans_on else ""
    words = "speed" if name == "step time" else name
    return (
        f"The widest part is the {words} of {format_pool(a)} ({ends}{why}): {asked} would narrow it most; if it proved"
        f" nominal, the ranges {after}."
    )


def _uncertain_factors(a: Assessed, is_cost: bool) -> dict[str, Range]:
    """Return the factors of a plan's useful throughput, or of the cost of a useful token, that have a range."""
    factors = {"step time": a.tokens_per_s, "goodput": a.goodput.goodput}
    if not is_cost:
        return factors
    factors = {name: 1.0 / factor for name, factor in factors.items()}
    return factors if a.cost_per_hour is None else factors | {"price": a.cost_per_hour}


def _speed_factors(a: Assessed, b: Assessed) -> dict[str, float]:
    """Return the factors of a / b in useful tokens; they multiply to it."""
    if isinstance(a, MixedAssessment) or isinstance(b, MixedAssessment):
        chips, good = a.offered / b.offered, a.goodput.goodput.nominal / b.goodput.goodput.nominal
        rest = a.useful.nominal / b.useful.nominal / chips / good
        return {"the number of chips": chips, "tokens/s of one chip": rest, "goodput": good}
    peaks, shares = a.result.peak / b.result.peak, a.result.mfu / b.result.mfu
    speed = {"MFU": shares} if peaks == 1 else {"FLOP/s of a chip": peaks * shares}
    flops = [x.result.model_flops / x.result.plan.job.tokens_per_step for x in (a, b)]
    return {
        "the number of chips": a.result.plan.strategy.chips / b.result.plan.strategy.chips,
        **speed,
        "goodput": a.goodput.goodput.nominal / b.goodput.goodput.nominal,
        "FLOPs of a token": flops[1] / flops[0],
    }


def _cost_factors(a: Assessed, b: Assessed) -> dict[str, float]:
    """Return the factors of a / b in dollars of a useful token; they multiply to it."""
    assert a.cost is not None
    assert b.cost is not None
    hours = (a.chips / a.useful.nominal) / (b.chips / b.useful.nominal)
    return {"chip-hours of a useful token": hours, "the price of a chip-hour": a.cost.nominal / b.cost.nominal / hours}


SPEED = _Contest(
    "useful tokens a day", "{later} gives {times} times the useful tokens of {earlier}", lambda a: a.useful, False,
    _speed_factors,
)  # fmt: skip
COST = _Contest(
    "cost of a useful token", "a useful token costs {times} times as much on {later} as on {earlier}", lambda a: a.cost, True,
    _cost_factors,
)  # fmt: skip
