"""The document of ``tianji operate report``: an operation from its first attempt to its last."""

from __future__ import annotations

from typing import Literal, TypedDict

from tianji.operation.history import OperationHistory, seconds_of
from tianji.report.documents.operation import AccountDocument, account_document
from tianji.report.documents.outcome_lines import operation_line
from tianji.report.documents.three_lines import BottomLineDocument

MOST_POINTS = 60
"""Steps of an attempt that the document lists; of more, evenly chosen ones with both ends."""


class AttemptDocument(TypedDict):
    """One attempt."""

    attempt: int
    layout: str
    chips: list[int]
    began_s: float
    """Since the first event."""
    seconds: float | None
    """Null while it is at work."""
    first_step: int | None
    """Null where it did none."""
    last_step: int | None
    end: str
    """What ended it: the kind of a failure, grow, cordon, stop, done or cut off; empty while it is at work."""
    steps: list[int]
    """Of some of its steps: their numbers."""
    at_s: list[float]
    """When they were done, since the first event."""
    losses: list[float]


class FailureDocument(TypedDict):
    """One failure."""

    time: str | None
    """Of day, in UTC."""
    attempt: int
    kind: str
    chips: list[int]
    step: int
    saved: int | None
    message: str
    """What the culprit said last, or why it failed."""


class OperationReportDocument(TypedDict):
    """All that ``tianji operate report`` answers."""

    document: Literal["operation_report"]
    bottom_line: BottomLineDocument
    folder: str
    state: str
    began: str | None
    """Time of day of the first event, in UTC."""
    account: AccountDocument
    attempts: list[AttemptDocument]
    failures: list[FailureDocument]


def operation_report_document(history: OperationHistory) -> OperationReportDocument:
    """Return an operation from its first attempt to its last."""
    first = next((e for e in history.events if e.get("time")), None)
    origin = seconds_of(first) if first else 0.0
    return {
        "document": "operation_report",
        "bottom_line": operation_line(history.state, history.account),
        "folder": str(history.folder),
        "state": history.state,
        "began": first["time"] if first else None,
        "account": account_document(history.account),
        "attempts": list(_attempts(history, origin)),
        "failures": [_failure(dict(e)) for e in history.events if e["event"] == "failure"],
    }


def _attempts(history: OperationHistory, origin: float) -> list[AttemptDocument]:
    documents: list[AttemptDocument] = []
    for record in history.attempts():
        steps = list(history.steps.get(record.number, ()))
        stride = max(-(-len(steps) // MOST_POINTS), 1)
        kept = [*steps[:-1:stride], *steps[-1:]]
        documents.append({
            "attempt": record.number,
            "layout": record.layout,
            "chips": list(record.chips),
            "began_s": record.began - origin,
            "seconds": None if record.ended is None else record.ended - record.began,
            "first_step": record.first_step,
            "last_step": record.last_step,
            "end": record.end,
            "steps": [step["index"] for step in kept],
            "at_s": [step["at"] - origin for step in kept],
            "losses": [step["loss"] for step in kept],
        })  # fmt: skip
    return documents


def _failure(event: dict[str, object]) -> FailureDocument:
    workers = event.get("workers")
    words = (
        [str(w.get("last_words") or "") for w in workers if isinstance(w, dict)] if isinstance(workers, list) else []
    )
    chips, saved = event.get("chips"), event.get("saved")
    return {
        "time": str(event["time"]) if event.get("time") else None,
        "attempt": int(str(event["attempt"])),
        "kind": str(event["kind"]),
        "chips": [int(chip) for chip in chips] if isinstance(chips, list) else [],
        "step": int(str(event["step"])),
        "saved": saved if isinstance(saved, int) else None,
        "message": str(event.get("message") or next(filter(None, words), "")),
    }
