"""The document of ``tianji plan`` on unlike chips: the ways to mix them, each part alone, and which to take."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from tianji.comparison import Assumptions
from tianji.hardware.calibration import Calibration
from tianji.reliability import Reliability
from tianji.report.documents.bottom_line import mixture_line
from tianji.report.documents.cited_figures import CitedFigureDocument, figures_document
from tianji.report.documents.goodput_summary import GoodputSummaryDocument, goodput_summary_document
from tianji.report.documents.ranges import RangeDocument, range_document
from tianji.report.documents.request import (
    CalibrationDocument,
    PoolDocument,
    WorkDocument,
    calibration_document,
    pool_document,
    work_document,
)
from tianji.report.documents.software import SoftwareDocument, part_software_document
from tianji.report.documents.three_lines import BottomLineDocument
from tianji.search.mixed_batches import Division
from tianji.search.mixed_planner import Alone, MixedOutcome
from tianji.search.mixed_stages import Chain


class MixedPoolDocument(TypedDict):
    """Pools of unlike chips, joined."""

    name: str
    chips: int
    parts: list[PoolDocument]
    joint: str
    """Name of the tier between the parts."""
    joint_bandwidth_bytes_per_s: float
    """Of one chip, one direction."""


class ShareDocument(TypedDict):
    """What one part does when all train replicas of their own."""

    pool: str
    batch: int
    """Sequences of a step."""
    strategy: dict[str, Any]
    step_time_s: float
    """Of the part by itself."""
    memory_total_bytes: float


class BatchesDocument(TypedDict):
    """Side by side: batches that finish together."""

    step_time_s: float
    exchange_s: float
    """Exposed seconds in which the parts exchange gradients."""
    shares: list[ShareDocument]


class ChainPartDocument(TypedDict):
    """The part of a pipeline that lies on one pool."""

    pool: str
    layers: list[int]
    """Of each of its stages."""
    memory_total_bytes: float


class StagesDocument(TypedDict):
    """In one pipeline: layers that take equal time."""

    step_time_s: float
    strategy: dict[str, Any]
    parts: list[ChainPartDocument]
    breakdown_s: dict[str, float]


class AloneDocument(TypedDict):
    """One part alone; null values where nothing fits it, and ``reason`` says why."""

    pool: str
    step_time_s: float | None
    chips: int | None
    strategy: dict[str, Any] | None
    reason: str | None


class MixedRequestDocument(WorkDocument):
    """A job on a mixture: what was asked, what was assumed, and what the parts' figures rest on."""

    mixture: MixedPoolDocument
    assumptions: list[str]
    software: list[SoftwareDocument | None]
    """Of each part."""
    calibrations: list[CalibrationDocument]
    """One for each part."""
    figures: list[CitedFigureDocument]


class MixedPlanDocument(MixedRequestDocument):
    """All that ``tianji plan`` answers for a mixture of unlike chips."""

    document: Literal["mixture"]
    bottom_line: BottomLineDocument
    choice: str
    """The way to take: ``batches``, ``stages`` or ``alone``."""
    verdict: str
    step_time_s: float
    step_time_range_s: RangeDocument
    leans_on: str
    tokens_per_s: float
    days: float | None
    goodput_summary: GoodputSummaryDocument
    batches: BatchesDocument | None
    stages: StagesDocument | None
    alone: list[AloneDocument]


def mixed_request_document(outcome: MixedOutcome, calibration: Calibration) -> MixedRequestDocument:
    """Return a job on a mixture with all that its times rest on."""
    job, mixture = outcome.job, outcome.mixture
    dtypes = (job.precision.linear, job.precision.high)
    return {
        **work_document(job),
        "mixture": {
            "name": mixture.name,
            "chips": mixture.chips,
            "parts": [pool_document(part) for part in mixture.parts],
            "joint": mixture.joint.name,
            "joint_bandwidth_bytes_per_s": mixture.joint.rate(mixture.name),
        },
        "assumptions": list(job.assumed),
        "software": [part_software_document(calibration, part.chip) for part in mixture.parts],
        "calibrations": [calibration_document(calibration, part, job.model) for part in mixture.parts],
        "figures": [figure for part in mixture.parts for figure in figures_document(part, dtypes)],
    }


def mixed_plan_document(
    outcome: MixedOutcome, calibration: Calibration, reliability: Reliability | None = None
) -> MixedPlanDocument:
    """Return all ways to train a job on a mixture, and which to take."""
    step = outcome.step_time
    return {
        "document": "mixture",
        "bottom_line": mixture_line(outcome, Assumptions(reliability=reliability)),
        **mixed_request_document(outcome, calibration),
        "choice": outcome.choice,
        "verdict": outcome.verdict,
        "step_time_s": step.nominal,
        "step_time_range_s": range_document(step),
        "leans_on": step.leans_on,
        "tokens_per_s": outcome.tokens_per_s,
        "days": outcome.days,
        "goodput_summary": goodput_summary_document(outcome, reliability),
        "batches": None if outcome.division is None else _batches_document(outcome.division),
        "stages": None if outcome.chain is None else _stages_document(outcome.chain),
        "alone": [_alone_document(alone) for alone in outcome.alone],
    }


def _batches_document(division: Division) -> BatchesDocument:
    shares: list[ShareDocument] = [
        {
            "pool": share.pool.name,
            "batch": share.batch,
            "strategy": share.strategy.as_dict(),
            "step_time_s": share.seconds,
            "memory_total_bytes": share.memory,
        }
        for share in division.shares
    ]
    return {"step_time_s": division.step_time, "exchange_s": division.exchange, "shares": shares}


def _stages_document(chain: Chain) -> StagesDocument:
    parts: list[ChainPartDocument] = [
        {"pool": pool.name, "layers": list(layers), "memory_total_bytes": memory}
        for pool, layers, memory in zip(chain.pools, chain.layers, chain.memory, strict=True)
    ]
    return {
        "step_time_s": chain.step_time,
        "strategy": chain.strategy.as_dict(),
        "parts": parts,
        "breakdown_s": dict(chain.breakdown),
    }


def _alone_document(alone: Alone) -> AloneDocument:
    if alone.result is None:
        return {"pool": alone.pool.name, "step_time_s": None, "chips": None, "strategy": None, "reason": alone.reason}
    strategy, step = alone.result.plan.strategy, alone.result.step_time.nominal
    return {
        "pool": alone.pool.name,
        "step_time_s": step,
        "chips": strategy.chips,
        "strategy": strategy.as_dict(),
        "reason": None,
    }
