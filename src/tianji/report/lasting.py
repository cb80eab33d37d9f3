"""What is left of a plan's speed when chips fail: the short form that stands in every plan."""

from __future__ import annotations

from typing import Any

from tianji.errors import InputError
from tianji.prediction.goodput import Goodput, expect_goodput
from tianji.reliability import Reliability
from tianji.result import Result
from tianji.search.mixed_goodput import expect_mixed_goodput
from tianji.search.mixed_planner import MixedOutcome
from tianji.units import DAY, show


def lasting_lines(result: Result | MixedOutcome, reliability: Reliability | None = None) -> list[tuple[str, str]]:
    """Return the lines on goodput that follow the speed of a plan, on a pool or on a mixture."""
    found = _expect(result, reliability)
    if isinstance(found, str):
        return [("goodput", f"not known: {found}")]
    span, rate = found.goodput, result.tokens_per_s
    lines = [
        (
            "goodput",
            f"{span.nominal:.1%} ({span.low:.1%} to {span.high:.1%}), a failure in {show(found.nominal.mtbf, 'time')};"
            f" {rate * span.nominal:,.0f} useful tokens/s",
        )
    ]
    if found.reliability.loss == "replica":
        lines.append(("loss", describe_loss(found)))
    if result.days is not None:
        step = result.step_time
        soonest = result.days * step.low / step.nominal / span.high
        latest = result.days * step.high / step.nominal / span.low
        ends = f" ({soonest:,.1f} to {latest:,.1f})"
        lines.append(("run", f"{result.days / span.nominal:,.1f} days{ends} with failures"))
    return lines


def describe_loss(found: Goodput) -> str:
    """Return what a failure stops, with what that asks of the plan."""
    if found.replicas == 1:
        only = " as there is only one replica" if found.reliability.loss == "replica" else ""
        return f"a failure stops the whole job{only}"
    text = f"a failure stops one of {found.replicas:,} replicas, {found.chips // found.replicas:,} chips, not the job"
    return f"{text}; {found.caveat}" if found.caveat else text


def lasting_document(result: Result | MixedOutcome, reliability: Reliability | None = None) -> dict[str, Any]:
    """Return the same for a program; ``tianji goodput`` gives the rest."""
    found = _expect(result, reliability)
    if isinstance(found, str):
        return {"goodput": None, "reason": found}
    span = found.goodput
    days = None if result.days is None else result.days / span.nominal
    return {
        "goodput": {"low": span.low, "nominal": span.nominal, "high": span.high, "leans_on": span.leans_on},
        "mean_time_between_failures_s": found.nominal.mtbf,
        "spare_nodes": found.spare_nodes,
        "loss": "job" if found.replicas == 1 else "replica",
        "replicas": found.replicas,
        "loss_in_words": describe_loss(found),
        "useful_tokens_per_s": result.tokens_per_s * span.nominal,
        "useful_tokens_per_day": result.tokens_per_s * span.nominal * DAY,
        "days": days,
    }


def _expect(result: Result | MixedOutcome, reliability: Reliability | None) -> Goodput | str:
    """Return the goodput under some choices (None: the usual ones), or why it cannot be known."""
    try:
        if isinstance(result, MixedOutcome):
            return expect_mixed_goodput(result, reliability)
        return expect_goodput(result, reliability)
    except InputError as error:
        return str(error)
