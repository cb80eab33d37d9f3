"""What failures leave of a plan's speed: the short form that stands beside every plan."""

from __future__ import annotations

from typing import Literal, TypedDict

from tianji.errors import InputError
from tianji.prediction.goodput import Goodput, expect_goodput
from tianji.reliability import Reliability
from tianji.report.documents.ranges import RangeDocument, range_document
from tianji.result import Result
from tianji.search.mixed_goodput import expect_mixed_goodput
from tianji.search.mixed_planner import MixedOutcome
from tianji.units import DAY


class GoodputSummaryDocument(TypedDict):
    """What failures leave; all but ``reason`` is null where it cannot be known. ``tianji goodput`` gives the rest."""

    goodput: RangeDocument | None
    """Share of the time that becomes lasting progress."""
    reason: str | None
    """Why the goodput is not known."""
    leans_on: str | None
    mean_time_between_failures_s: float | None
    spare_nodes: int | None
    loss: Literal["job", "replica"] | None
    """What a failure stops."""
    replicas: int | None
    loss_in_words: str | None
    useful_tokens_per_s: float | None
    useful_tokens_per_day: float | None
    days: float | None
    """Of the whole run with its failures; null too for a job without a number of tokens."""
    days_range: RangeDocument | None


def goodput_summary_document(
    result: Result | MixedOutcome, reliability: Reliability | None = None
) -> GoodputSummaryDocument:
    """Return what failures leave under these choices (None: the usual ones)."""
    try:
        goodput = _expect(result, reliability)
    except InputError as error:
        return {
            "goodput": None, "reason": str(error), "leans_on": None, "mean_time_between_failures_s": None,
            "spare_nodes": None, "loss": None, "replicas": None, "loss_in_words": None, "useful_tokens_per_s": None,
            "useful_tokens_per_day": None, "days": None, "days_range": None,
        }  # fmt: skip
    useful = result.tokens_per_s * goodput.goodput.nominal
    days = days_with_failures(result, goodput)
    return {
        "goodput": range_document(goodput.goodput),
        "reason": None,
        "leans_on": goodput.goodput.leans_on,
        "mean_time_between_failures_s": goodput.nominal.mtbf,
        "spare_nodes": goodput.spare_nodes,
        "loss": "job" if goodput.replicas == 1 else "replica",
        "replicas": goodput.replicas,
        "loss_in_words": describe_loss(goodput),
        "useful_tokens_per_s": useful,
        "useful_tokens_per_day": useful * DAY,
        "days": None if days is None else days["nominal"],
        "days_range": days,
    }


def days_with_failures(result: Result | MixedOutcome, goodput: Goodput) -> RangeDocument | None:
    """Return the days of the run: the fast step under few failures, the slow one under many."""
    if result.days is None:
        return None
    return (result.step_time * (result.days / result.step_time.nominal) / goodput.goodput).to_dict()


def describe_loss(goodput: Goodput) -> str:
    """Return what a failure stops, with what that asks of the plan."""
    if goodput.replicas == 1:
        only = " as there is only one replica" if goodput.reliability.loss == "replica" else ""
        return f"a failure stops the whole job{only}"
    chips = goodput.chips // goodput.replicas
    text = f"a failure stops one of {goodput.replicas:,} replicas, {chips:,} chips, not the job"
    return f"{text}; {goodput.caveat}" if goodput.caveat else text


def _expect(result: Result | MixedOutcome, reliability: Reliability | None) -> Goodput:
    if isinstance(result, MixedOutcome):
        return expect_mixed_goodput(result, reliability)
    return expect_goodput(result, reliability)
