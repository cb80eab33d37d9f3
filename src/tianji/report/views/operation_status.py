"""The view of where an operation stands."""

from __future__ import annotations

from collections.abc import Iterator

from tianji.formatting import format_duration
from tianji.report.documents.operation_status import OperationStatusDocument
from tianji.report.view import Highlight, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of, time_of
from tianji.report.views.request_summary import bottom_lines


def operation_status_view(document: OperationStatusDocument) -> View:
    """Return the view of ``tianji operate status``."""
    saved = f"of {document['steps']:,}; {document['saved_steps']:,} saved"
    highlights = [Highlight("steps", count_of(document["done_steps"]), saved)]
    if document["step_time_s"] is not None:
        left = (
            f"{format_duration(document['left_s'])} left" if document["left_s"] is not None else "of the latest steps"
        )
        highlights.append(Highlight("step", time_of(document["step_time_s"]), left))
    highlights.append(Highlight("failures", count_of(document["failures"]), f"in {document['attempts']:,} attempts"))
    columns = (ViewColumn("what"), ViewColumn("now"))
    now = ViewTable("status", "", columns, tuple(_rows(document)))
    lead = f"State {document['state']}{': ' if document['cause'] else ''}{document['cause'] or ''}."
    return View(
        f"Operation in {document['folder']}",
        (lead,),
        tuple(highlights),
        (ViewSection("How it stands", (now,)),),
        bottom=bottom_lines(document["bottom_line"]),
    )


def _rows(document: OperationStatusDocument) -> Iterator[tuple[str, str]]:
    if document["pid"] is not None:
        verb = "operated by" if document["is_operated"] else "operated last by"
        yield verb, f"process {document['pid']} on {document['host']}, since {document['since']}"
    if document["layout"]:
        yield "layout", document["layout"]
    if document["chips"]:
        yield "chips", describe_chips(document["chips"])
    if document["cordoned"]:
        yield "cordoned", describe_chips(document["cordoned"])
    if document["last_event"]:
        yield "last event", f"{document['last_event']} at {document['last_event_time'] or 'an unknown time'}"


def describe_chips(chips: list[int]) -> str:
    """Return numbers of chips as ranges.

    >>> describe_chips([0, 1, 2, 5, 7, 8])
    '0-2, 5, 7-8'
    """
    runs: list[list[int]] = []
    for chip in sorted(chips):
        if runs and chip == runs[-1][-1] + 1:
            runs[-1].append(chip)
        else:
            runs.append([chip])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
