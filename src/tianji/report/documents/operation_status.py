"""The document of ``tianji operate status``: where an operation stands now."""

from __future__ import annotations

from typing import Literal, TypedDict

from tianji.operation.history import ENDED, OperationHistory
from tianji.report.documents.outcome_lines import operation_line
from tianji.report.documents.three_lines import BottomLineDocument


class OperationStatusDocument(TypedDict):
    """All that ``tianji operate status`` answers."""

    document: Literal["operation_status"]
    bottom_line: BottomLineDocument
    folder: str
    state: str
    is_operated: bool
    """A process operates it now."""
    pid: int | None
    """Of the process that operates it, or did so last."""
    host: str | None
    since: str | None
    """When that process began; time of day in UTC."""
    steps: int
    """Of the whole job."""
    done_steps: int
    saved_steps: int
    attempts: int
    layout: str | None
    """Of the latest attempt."""
    chips: list[int]
    """That the latest attempt uses; empty when none is at work."""
    cordoned: list[int]
    failures: int
    step_time_s: float | None
    """Median of the latest steps."""
    left_s: float | None
    """Until the last step at that pace, without failures; null when it is not training."""
    cause: str | None
    """What it waits for; null while it waits for nothing that is known."""
    last_event: str
    last_event_time: str | None


def operation_status_document(history: OperationHistory) -> OperationStatusDocument:
    """Return where an operation stands."""
    records, state, pace = list(history.attempts()), history.state, history.pace
    latest = records[-1] if records else None
    steps, done, holder = history.order.settings.steps, history.done_steps, history.holder
    is_at_work = latest is not None and not latest.end and state not in ENDED
    last = history.events[-1] if history.events else {}
    return {
        "document": "operation_status",
        "bottom_line": operation_line(state, history.account, history.cause),
        "folder": str(history.folder),
        "state": state,
        "is_operated": history.is_operated,
        "pid": holder.pid if holder else None,
        "host": holder.host if holder else None,
        "since": holder.since if holder else None,
        "steps": steps,
        "done_steps": done,
        "saved_steps": history.saved_steps,
        "attempts": len(records),
        "layout": latest.layout if latest else None,
        "chips": list(latest.chips) if latest and is_at_work else [],
        "cordoned": list(history.cordoned),
        "failures": sum(e["event"] == "failure" for e in history.events),
        "step_time_s": pace,
        "left_s": (steps - done) * pace if pace is not None and state == "training" else None,
        "cause": history.cause or None,
        "last_event": str(last.get("event", "")),
        "last_event_time": last.get("time"),
    }
