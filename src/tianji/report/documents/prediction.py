"""The document of ``tianji predict``: one plan, and what it stands on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from tianji.comparison import Assumptions
from tianji.hardware.calibration import Calibration
from tianji.parallel.layouts import format_layout
from tianji.prediction.switch_gains import SwitchGain
from tianji.reliability import Reliability
from tianji.report.documents.bottom_line import plan_line
from tianji.report.documents.measured import MeasuredDocument
from tianji.report.documents.nearest import NearRunDocument, near_run_documents
from tianji.report.documents.plan_result import FullPlanResultDocument, full_plan_result_document
from tianji.report.documents.request import RequestDocument, request_document
from tianji.report.documents.software import SwitchGainDocument, switch_gain_documents
from tianji.report.documents.three_lines import BottomLineDocument
from tianji.result import Result
from tianji.validation.nearest import find_nearest

STOPS = "would stop"
"""With what the sentence on a broken rule begins that ends a run before its first step."""


class IdleDocument(TypedDict):
    """Chips of the pool that the plan leaves idle."""

    chips: int
    reason: str


class LaunchDocument(TypedDict):
    """What was read in a launch."""

    engine: str
    """Whose rules it follows: megatron or mindspeed."""
    stack: str
    """The project whose script or configuration it is."""
    ignored: list[str]
    """Options of which nothing is known."""
    left_out: list[str]
    """What changes time or memory and is not priced, and in which direction that errs."""
    broken: list[str]
    """What the framework's own checks would stop at, or run otherwise."""


class BestDocument(TypedDict):
    """The best plan of the same job on the same chips; null values where there is none, and ``reason`` says why."""

    reason: str | None
    layout: str | None
    strategy: dict[str, Any] | None
    step_time_s: float | None
    slower_by_ratio: float | None
    """By how much the predicted plan is slower."""


class PredictionDocument(RequestDocument):
    """All that ``tianji predict`` answers: one plan."""

    document: Literal["prediction"]
    bottom_line: BottomLineDocument
    plans: list[FullPlanResultDocument]
    """The one plan; a list, as in the document of a search."""
    switch_gains: list[SwitchGainDocument]
    """What single switches of the software would buy, the largest first."""
    idle: IdleDocument
    launch: LaunchDocument | None
    """With ``--from``."""
    best: BestDocument | None
    """With ``--from``."""
    measured: MeasuredDocument | None
    """With ``--measured``."""
    nearest: list[NearRunDocument]
    """The nearest published runs, with our error on them."""


def prediction_document(
    result: Result,
    calibration: Calibration,
    reliability: Reliability | None = None,
    launch: LaunchDocument | None = None,
    best: Result | str | None = None,
    measured: MeasuredDocument | None = None,
    switch_gains: Sequence[SwitchGain] = (),
) -> PredictionDocument:
    """Return one predicted plan; ``best`` is the plan to set beside that of a launch script, or why there is none."""
    return {
        "document": "prediction",
        "bottom_line": _first_line(result, reliability, launch),
        **request_document(result.plan, calibration),
        "plans": [full_plan_result_document(result, reliability)],
        "switch_gains": switch_gain_documents(switch_gains),
        "idle": {"chips": result.plan.idle_chips, "reason": ""},
        "launch": launch,
        "best": None if best is None else best_document(result, best),
        "measured": measured,
        "nearest": near_run_documents(find_nearest(result.plan, calibration)),
    }


def _first_line(result: Result, reliability: Reliability | None, launch: LaunchDocument | None) -> BottomLineDocument:
    """Return the bottom line of a plan; of a launch that its framework stops, that it does not start."""
    line = plan_line(result, Assumptions(reliability=reliability))
    stopped = next((text for text in (launch["broken"] if launch else ()) if text.startswith(STOPS)), "")
    if stopped:
        answer = line["answer"].removesuffix(".")
        line["answer"] = f"No: it does not start as it is; it {stopped}. If it did: {answer[:1].lower()}{answer[1:]}."
    return line


def best_document(result: Result, best: Result | str) -> BestDocument:
    """Return the best plan and how far a result is from it, or why there is none."""
    if isinstance(best, str):
        return {"reason": best, "layout": None, "strategy": None, "step_time_s": None, "slower_by_ratio": None}
    strategy, step = best.plan.strategy, best.step_time.nominal
    return {
        "reason": None,
        "layout": format_layout(strategy),
        "strategy": strategy.as_dict(),
        "step_time_s": step,
        "slower_by_ratio": result.step_time.nominal / step - 1.0,
    }
