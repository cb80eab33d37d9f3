"""The document of ``tianji operate``: how an operation ended, and its account."""

from __future__ import annotations

from typing import Literal, TypedDict

from tianji.operation.operating import EVENTS, OperationOutcome


class OperationDocument(TypedDict):
    """The account of an operation."""

    document: Literal["operation"]
    state: str
    reason: str
    """Why it was given up; empty where it was not."""
    folder: str
    events: str
    """The file of all events."""
    steps: int
    """Steps that last."""
    seconds: float
    step_time_s: float
    attempts: int
    failures: int
    growths: int
    """Restarts on more chips."""
    recovery_time_s: float
    """Mean time from the last step before a failure to the begin of the first after it."""
    lost_steps: int
    """Steps that were done again."""
    goodput: float
    """Share of the time that went into steps that last."""


def operation_document(outcome: OperationOutcome) -> OperationDocument:
    """Return an operation's account as plain values."""
    account = outcome.account
    return {
        "document": "operation",
        "state": outcome.state.value,
        "reason": outcome.reason,
        "folder": str(outcome.folder),
        "events": str(outcome.folder / EVENTS),
        "steps": account.steps,
        "seconds": account.seconds,
        "step_time_s": account.step_time,
        "attempts": account.attempts,
        "failures": account.failures,
        "growths": account.growths,
        "recovery_time_s": account.recovery_time,
        "lost_steps": account.lost_steps,
        "goodput": account.goodput,
    }
