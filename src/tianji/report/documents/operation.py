"""The document of ``tianji operate``: how an operation ended, and its account."""

from __future__ import annotations

from typing import Literal, TypedDict

from tianji.operation.accounting import Account
from tianji.operation.folder import EVENTS
from tianji.operation.operating import OperationOutcome
from tianji.report.documents.outcome_lines import operation_line
from tianji.report.documents.three_lines import BottomLineDocument


class AccountDocument(TypedDict):
    """What the time of an operation went into, pauses left out."""

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


class OperationDocument(AccountDocument):
    """How an operation ended, and its account."""

    document: Literal["operation"]
    bottom_line: BottomLineDocument
    state: str
    reason: str
    """Why it was given up, or what stopped it; empty for one that is done."""
    folder: str
    events: str
    """The file of all events."""


def account_document(account: Account) -> AccountDocument:
    """Return an account as plain values."""
    return {
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


def operation_document(outcome: OperationOutcome) -> OperationDocument:
    """Return how an operation ended, with its account."""
    return {
        "document": "operation",
        "bottom_line": operation_line(outcome.state.value, outcome.account, outcome.reason),
        "state": outcome.state.value,
        "reason": outcome.reason,
        "folder": str(outcome.folder),
        "events": str(outcome.folder / EVENTS),
        **account_document(outcome.account),
    }
