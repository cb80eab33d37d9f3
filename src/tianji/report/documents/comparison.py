"""The documents of ``tianji compare``, ``replace`` and ``size``: pool against pool."""

from __future__ import annotations

from itertools import combinations
from typing import Literal, TypedDict

from tianji.comparison import Comparison, Replacement, Sizing
from tianji.comparison.batches import describe_chips
from tianji.comparison.curve import Curve, FixedCurve
from tianji.comparison.measures import MEASURES
from tianji.comparison.mixed_curve import MixedCurve
from tianji.comparison.replacement import describe_answer
from tianji.comparison.sensitivity import Sensitivity
from tianji.comparison.side_by_side import format_pool
from tianji.hardware.calibration import Calibration
from tianji.ranges import Range, RangeDocument, chance_of_at_least
from tianji.report.documents.assessment import AssessmentDocument, assessment_document
from tianji.report.documents.batches import OtherBatchesDocument, other_batches_document
from tianji.report.documents.bottom_line import (
    comparison_line,
    replacement_line,
    sizing_line,
)
from tianji.report.documents.request import WorkDocument, work_document
from tianji.report.documents.three_lines import BottomLineDocument


class PairDocument(TypedDict):
    """One pool over another that was named before it; what both share drops out of the ratios."""

    one: str
    other: str
    speed: RangeDocument
    """Ratio of useful tokens a day."""
    speed_verdict: Literal["ahead", "open", "behind"]
    """``open``: 1 lies in the range."""
    is_faster_chance: float
    """From the 80 % ranges of both."""
    cost: RangeDocument | None
    """Ratio of the cost of a useful token; null where a price is not known."""
    cost_verdict: Literal["ahead", "open", "behind"] | None
    """``ahead``: cheaper."""
    is_cheaper_chance: float | None


class ComparisonDocument(WorkDocument):
    """The best plan on each pool for the same work; the first pool is what the others are set against."""

    document: Literal["comparison"]
    bottom_line: BottomLineDocument
    pools: list[AssessmentDocument]
    ratios: dict[str, list[RangeDocument | None]]
    """Each measure of each pool over that of the first; null where one of them is not known, and of MFUs of
    unlike peaks."""
    verdicts: list[str]
    pairs: list[PairDocument]
    """Every two pools, the one named later over the one named earlier."""
    batches: OtherBatchesDocument | None
    """The pools at the batches that were listed, or at the round ones around that of the answer."""
    assumptions: list[str]


class CurvePointDocument(TypedDict):
    """One size with its own best plan."""

    chips: int
    useful_tokens_per_s: RangeDocument
    """After failures."""
    tokens_per_s: float
    mfu: float | None
    """null for a mixture, whose peaks are unlike."""
    goodput: float


class CurveDocument(TypedDict):
    """Useful tokens a second against chips."""

    pool: str
    points: list[CurvePointDocument]
    unfit: list[int]
    """Sizes on which no strategy is legal and fits."""
    knee: int | None
    """Past it another chip gives under half of what a chip gives at best; null: not within these sizes."""


class CurvesDocument(TypedDict):
    """The curves of both pools of a replacement."""

    first: CurveDocument
    other: CurveDocument


class SwingDocument(TypedDict):
    """One assumption and what it moves."""

    assumption: str
    low_end: str
    """In words."""
    high_end: str
    at_low: float
    """The answer there: a ratio of the other pool over the first."""
    at_high: float
    flips: bool
    """The answer crosses 1 between the two ends."""
    chips_at_low: float | None
    """Chips that suffice there, read off the curve; null: beyond those that were tried, or money or power is to be equal."""
    chips_at_high: float | None


class FlipPriceDocument(TypedDict):
    """The price of the other pool at which a useful token costs as much on both."""

    break_even_usd: float | None
    """Of one chip-hour, electricity in it; null where no price makes it, or that of the first pool is not known."""
    known_usd: RangeDocument | None
    """What is known of the price: published or stated, or the bracket of owning."""
    says: str
    """In a sentence."""


class SensitivityDocument(TypedDict):
    """What would flip the answer, the widest swing first."""

    answer: str
    """What the swings move, in words."""
    nominal_answer: float | None
    """With every assumption as it is; null where it has no figure."""
    price: FlipPriceDocument
    swings: list[SwingDocument]


class ReplacementDocument(WorkDocument):
    """How many chips of one pool replace another."""

    document: Literal["replacement"]
    bottom_line: BottomLineDocument
    match: str
    answer: str
    """In one sentence."""
    chips: int
    """Nominal."""
    chips_fewest: float | None
    """By the ranges of both pools, read off the curve; null: fewer than were tried."""
    chips_most: float | None
    """The same; null: more than were tried."""
    units: int
    """Nodes, racks or pods of the other pool, spares counted: those of ``other``."""
    first: AssessmentDocument
    other: AssessmentDocument
    ratios: dict[str, list[RangeDocument | None]]
    """As in a comparison of the two."""
    batches: OtherBatchesDocument | None
    """The same chips at the round batches around that of the answer; for batches that were listed the chips that replace."""
    curves: CurvesDocument
    sensitivity: SensitivityDocument
    verdicts: list[str]
    assumptions: list[str]


class SizingDocument(WorkDocument):
    """How large a pool must be."""

    document: Literal["sizing"]
    bottom_line: BottomLineDocument
    days_allowed: float
    budget_usd: float | None
    is_met: bool
    binding: list[str]
    """What cannot be met, in words."""
    chips: int
    chips_cautious: int | None
    """Chips that are in time in the slow case too; null where none are."""
    cost_of_run_usd: float | None
    best: AssessmentDocument
    batches: OtherBatchesDocument | None
    """With several batches: the smallest pool that is in time at each."""
    curve: CurveDocument
    assumptions: list[str]


def comparison_document(comparison: Comparison, calibration: Calibration) -> ComparisonDocument:
    """Return all of a comparison."""
    job, places = comparison.assessments[0].job, range(len(comparison.assessments))
    return {
        "document": "comparison",
        "bottom_line": comparison_line(comparison),
        **work_document(job),
        "pools": [assessment_document(a, calibration) for a in comparison.assessments],
        "ratios": ratios_document(comparison),
        "verdicts": list(comparison.verdicts),
        "pairs": [pair_document(comparison, later, earlier) for earlier, later in combinations(places, 2)],
        "batches": other_batches_document(comparison.batches, comparison.batch, comparison.batch_line),
        "assumptions": list(job.assumed),
    }


def pair_document(comparison: Comparison, place: int, base: int) -> PairDocument:
    """Return one pool over another, in speed and in cost."""
    one, other = comparison.assessments[place], comparison.assessments[base]
    speed, cost = one.useful / other.useful, comparison.ratio("cost", place, base)
    return {
        "one": format_pool(one),
        "other": format_pool(other),
        "speed": speed.to_dict(),
        "speed_verdict": _judge(speed),
        "is_faster_chance": chance_of_at_least(one.useful, other.useful),
        "cost": None if cost is None else cost.to_dict(),
        "cost_verdict": None if cost is None else _judge(1.0 / cost),
        "is_cheaper_chance": None if cost is None else chance_of_at_least(Range.exactly(1.0), cost),
    }


def _judge(better: Range) -> Literal["ahead", "open", "behind"]:
    """Return the verdict of a ratio that is above 1 for the pool that is ahead."""
    return "ahead" if better.low > 1 else "behind" if better.high < 1 else "open"


def ratios_document(comparison: Comparison) -> dict[str, list[RangeDocument | None]]:
    """Return each measure of each pool over that of the first."""
    return {m.key: [None if r is None else r.to_dict() for r in comparison.ratios(m.key)] for m in MEASURES}


def replacement_document(replacement: Replacement, calibration: Calibration) -> ReplacementDocument:
    """Return all of a replacement, with both curves and what would flip the answer."""
    few, _, many = replacement.chips
    first, other = replacement.first, replacement.other
    return {
        "document": "replacement",
        "bottom_line": replacement_line(replacement),
        **work_document(first.job),
        "match": replacement.match,
        "answer": describe_answer(replacement),
        "chips": other.offered,
        "chips_fewest": few,
        "chips_most": many,
        "units": other.floor_space.units,
        "first": assessment_document(first, calibration),
        "other": assessment_document(other, calibration),
        "ratios": ratios_document(replacement.both),
        "curves": {
            "first": curve_document(replacement.first_curve),
            "other": curve_document(replacement.other_curve),
        },
        "sensitivity": {
            "answer": replacement.answer,
            "nominal_answer": replacement.nominal,
            "price": _price_document(replacement),
            "swings": [swing_document(sensitivity) for sensitivity in replacement.sensitivities],
        },
        "verdicts": list(replacement.both.verdicts),
        "batches": _replacement_batches(replacement),
        "assumptions": list(first.job.assumed),
    }


def _price_document(replacement: Replacement) -> FlipPriceDocument:
    price = replacement.price
    return {
        "break_even_usd": price.break_even,
        "known_usd": None if price.known is None else price.known.to_dict(),
        "says": price.says,
    }


def swing_document(sensitivity: Sensitivity) -> SwingDocument:
    """Return what one assumption moves."""
    return {
        "assumption": sensitivity.assumption,
        "low_end": sensitivity.low,
        "high_end": sensitivity.high,
        "at_low": sensitivity.at_low,
        "at_high": sensitivity.at_high,
        "flips": sensitivity.flips,
        "chips_at_low": sensitivity.chips_at_low,
        "chips_at_high": sensitivity.chips_at_high,
    }


def _replacement_batches(replacement: Replacement) -> OtherBatchesDocument | None:
    both = replacement.both
    if not replacement.batches:
        return other_batches_document(both.batches, both.batch, both.batch_line)
    return other_batches_document(replacement.batches, both.batch, describe_chips(replacement.batches, both.batch))


def _sizing_batches(sizing: Sizing) -> OtherBatchesDocument | None:
    batch = sizing.best.result.plan.job.global_batch_size
    return other_batches_document(sizing.batches, batch, describe_chips(sizing.batches, batch))


def sizing_document(sizing: Sizing, calibration: Calibration) -> SizingDocument:
    """Return all of a sizing."""
    job = sizing.best.result.plan.job
    return {
        "document": "sizing",
        "bottom_line": sizing_line(sizing),
        **work_document(job),
        "days_allowed": sizing.days,
        "budget_usd": sizing.budget,
        "is_met": sizing.is_met,
        "binding": list(sizing.binding),
        "chips": sizing.best.pool.chips,
        "chips_cautious": sizing.cautious,
        "cost_of_run_usd": sizing.cost,
        "best": assessment_document(sizing.best, calibration),
        "curve": curve_document(sizing.curve),
        "batches": _sizing_batches(sizing),
        "assumptions": list(job.assumed),
    }


def curve_document(curve: Curve | FixedCurve | MixedCurve) -> CurveDocument:
    """Return the sizes that were tried, ascending."""
    return {
        "pool": curve.pool.name,
        "points": [
            {
                "chips": n,
                "useful_tokens_per_s": a.useful.to_dict(),
                "tokens_per_s": a.tokens_per_s.nominal,
                "mfu": a.mfu.nominal if a.mfu else None,
                "goodput": a.goodput.goodput.nominal,
            }
            for n, a in sorted(curve.points.items())
            if a is not None
        ],
        "unfit": sorted(n for n, a in curve.points.items() if a is None),
        "knee": curve.knee(),
    }
