"""The document of ``tianji plan``: the best plans of a job on a pool, and what was set against them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypedDict

from tianji.comparison import Assumptions
from tianji.comparison.batches import AtBatch
from tianji.hardware.calibration import Calibration
from tianji.perf.holdings import stages_of
from tianji.prediction.switch_gains import SwitchGain
from tianji.reliability import Reliability
from tianji.report.documents.batches import OtherBatchesDocument, other_batches_document
from tianji.report.documents.bottom_line import plan_line
from tianji.report.documents.choice import (
    MicroBatchDocument,
    PlanChoiceDocument,
    choice_document,
    micro_batch_document,
)
from tianji.report.documents.layout_support import LayoutSupportDocument
from tianji.report.documents.nearest import NearRunDocument, near_run_documents
from tianji.report.documents.plan_result import (
    AgainstDocument,
    FullPlanResultDocument,
    PlanResultDocument,
    against_document,
    full_plan_result_document,
    plan_result_document,
)
from tianji.report.documents.prediction import IdleDocument
from tianji.report.documents.ranges import RangeDocument, range_document
from tianji.report.documents.request import RequestDocument, request_document
from tianji.report.documents.software import SwitchGainDocument, switch_gain_documents
from tianji.report.documents.three_lines import BottomLineDocument
from tianji.result import Result
from tianji.search import Outcome
from tianji.validation.nearest import find_nearest

if TYPE_CHECKING:
    from tianji.comparison.cheapest_size import CheapestSize
    from tianji.validation.expected_gains import Promise


class SearchDocument(TypedDict):
    """What was searched."""

    candidates: int
    """Legal strategies, all priced."""
    feasible: int
    """Those that fit the memory."""
    seconds: float
    candidates_per_s: float | None


class ChosenDocument(TypedDict):
    """With ``--objective cost`` or ``energy``: the number of chips that spends least."""

    objective: str
    chips: int
    offered_chips: int
    sizes_tried: int
    unit: str
    """Of both figures below."""
    spent: RangeDocument
    spent_on_all_chips: RangeDocument | None


class PublishedRunDocument(TypedDict):
    """A published run of the planned job, and what the best plan promises over it."""

    id: str
    source: str
    layout: str
    measured_step_time_s: float
    predicted_step_time_s: float | None
    error: float | None
    """Predicted over measured, less 1."""
    gain_promised: float
    """Of the best plan over the measured run, in tokens/s: what the layout gains, less the correction for having been chosen and
    less our error on this run."""
    gain_of_layout: float
    """The first of the three: the published layout's predicted time over that of the best plan, less 1."""
    correction: float
    """The second: the share by which the best plan's time is too small for having been chosen."""
    is_doubtful: bool
    """More than tuned runs leave."""
    saved_mostly_s: dict[str, float]
    """Seconds of a step by kind."""


class NearSizeDocument(TypedDict):
    """The smallest number of chips that does nearly as well as plan 1."""

    chips: int
    step_time_s: float
    slower_by_ratio: float
    """At most 0.02; below zero where it is faster than plan 1, whose regret is smaller all the same."""


class DealtDocument(TypedDict):
    """What the stages of plan 1 gain over layers that are dealt out evenly."""

    stages: str
    """Of plan 1, in Megatron's letters."""
    dealt_stages: str
    step_time_s: float
    """With the layers dealt out."""
    slower_by_ratio: float


class RunsOnDocument(TypedDict):
    """With ``--runs-on``: the engine that runs every plan exactly."""

    engine: str
    faster_refused: int
    """Faster plans that it cannot run."""
    why: str
    free_step_time_s: float
    """Of the fastest of all plans under the same software, whatever engine runs them."""
    free_layout: str


class PlanDocument(RequestDocument):
    """All that ``tianji plan`` answers for a pool."""

    document: Literal["plan"]
    bottom_line: BottomLineDocument
    objective: str
    plans: list[FullPlanResultDocument]
    """The best plans, that of the least expected regret first."""
    choice: PlanChoiceDocument | None
    """How sure it is that plan 1 is the best; null where the calibration knows no ranges."""
    dealt: DealtDocument | None
    """Where plan 1 names what its stages hold: the same plan with its layers dealt out evenly."""
    micro_batch: MicroBatchDocument | None
    """Where plan 1 has larger micro-batches than were ever measured."""
    front: list[PlanResultDocument]
    """Plans that none beats in both time and memory, the fastest first."""
    binding: list[str]
    """What keeps the best plan from being faster, the largest part of its step first."""
    switch_gains: list[SwitchGainDocument]
    """What single switches of the software would buy of plan 1, the largest first."""
    naive: AgainstDocument | None
    """The rule of thumb beside the best plan: tp fills the node, the smallest pp that fits."""
    explained: AgainstDocument | None
    """With ``--explain``: the layout that the user named, beside the best plan."""
    idle: IdleDocument
    near_size: NearSizeDocument | None
    """null where every smaller number that was tried is slower by more."""
    search: SearchDocument
    published: list[PublishedRunDocument]
    nearest: list[NearRunDocument]
    """The nearest published runs, with our error on them."""
    batches: OtherBatchesDocument | None
    """With several batches: the best plan at each."""
    chosen: ChosenDocument | None
    runs_on: RunsOnDocument | None
    layout_support: LayoutSupportDocument | None
    """null with `--runs-on`, where every plan runs on that framework."""


def plan_document(
    outcome: Outcome, calibration: Calibration, *, objective: str = "time", explained: Result | None = None,
    reliability: Reliability | None = None, cheapest: CheapestSize | None = None, published: Sequence[Promise] = (),
    runs_on: RunsOnDocument | None = None, assumptions: Assumptions | None = None, switch_gains: Sequence[SwitchGain] = (),
    batches: Sequence[AtBatch] = (), layout_support: LayoutSupportDocument | None = None,
) -> PlanDocument:  # fmt: skip
    """Return all that a search answers; ``cheapest`` says how its number of chips was chosen."""
    best, searched = outcome.results[0], outcome.search
    return {
        "document": "plan",
        "bottom_line": plan_line(
            best,
            assumptions or Assumptions(reliability=reliability),
            outcome.choice.optimism if outcome.choice else None,
        ),
        "objective": objective,
        **request_document(best.plan, calibration),
        "plans": [full_plan_result_document(result, reliability) for result in outcome.results],
        "choice": choice_document(outcome),
        "dealt": dealt_document(outcome),
        "micro_batch": micro_batch_document(outcome, reliability),
        "front": [plan_result_document(result, reliability) for result in outcome.front],
        "binding": list(outcome.binding),
        "switch_gains": switch_gain_documents(switch_gains),
        "naive": None if outcome.naive is None else against_document(outcome.naive, best, reliability),
        "explained": None if explained is None else against_document(explained, best, reliability),
        "idle": {"chips": best.plan.idle_chips, "reason": outcome.idle_reason},
        "near_size": near_size_document(outcome),
        "search": {
            "candidates": searched.candidates,
            "feasible": searched.feasible,
            "seconds": searched.seconds,
            "candidates_per_s": searched.candidates / searched.seconds if searched.seconds else None,
        },
        "nearest": near_run_documents(find_nearest(best.plan, calibration)),
        "published": [published_run_document(promise) for promise in published],
        "batches": other_batches_document(batches, best.plan.job.global_batch_size),
        "chosen": None if cheapest is None else chosen_document(cheapest),
        "runs_on": runs_on,
        "layout_support": layout_support,
    }


def dealt_document(outcome: Outcome) -> DealtDocument | None:
    """Return what the stages that the search named gain; None where it named none."""
    if outcome.dealt is None:
        return None
    best, dealt = outcome.best, outcome.dealt
    return {
        "stages": best.plan.strategy.stages,
        "dealt_stages": str(stages_of(dealt.plan.job.model, dealt.plan.strategy)),
        "step_time_s": dealt.step_time.nominal,
        "slower_by_ratio": dealt.step_time.nominal / best.step_time.nominal - 1,
    }


def near_size_document(outcome: Outcome) -> NearSizeDocument | None:
    """Return the smallest number of chips that does nearly as well, or None."""
    near, best = outcome.near, outcome.best.step_time.nominal
    if near is None:
        return None
    return {"chips": near.chips, "step_time_s": near.step_time, "slower_by_ratio": near.step_time / best - 1}


def chosen_document(cheapest: CheapestSize) -> ChosenDocument:
    """Return the number of chips that spends least, beside all that were offered."""
    return {
        "objective": cheapest.objective,
        "chips": cheapest.pool.chips,
        "offered_chips": cheapest.offered,
        "sizes_tried": cheapest.tried,
        "unit": cheapest.unit,
        "spent": range_document(cheapest.spent),
        "spent_on_all_chips": None if cheapest.on_all is None else range_document(cheapest.on_all),
    }


def published_run_document(promise: Promise) -> PublishedRunDocument:
    """Return a published run of the planned job, and what the best plan promises over it."""
    row = promise.prediction.row
    return {
        "id": row.id,
        "source": row.source,
        "layout": promise.published,
        "measured_step_time_s": row.measured_step_time,
        "predicted_step_time_s": promise.prediction.step_time,
        "error": promise.prediction.error,
        "gain_promised": promise.gain,
        "gain_of_layout": promise.gain_of_layout,
        "correction": promise.optimism,
        "is_doubtful": promise.is_doubtful,
        "saved_mostly_s": dict(promise.savings()),
    }
