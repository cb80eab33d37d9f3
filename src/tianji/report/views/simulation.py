"""The view of a simulated operation: its events in order."""

from __future__ import annotations

from typing import Any

from tianji.report.documents.simulation import SimulationDocument
from tianji.report.view import Highlight, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of, time_of
from tianji.report.views.operation_status import describe_chips

COMMON = ("n", "at", "event")
"""Keys that every event has, shown in columns of their own."""


def simulation_view(document: SimulationDocument) -> View:
    """Return the view of ``tianji operate --simulate``."""
    columns = (ViewColumn("at", "s"), ViewColumn("event"), ViewColumn("facts"))
    rows = tuple((time_of(event["at"]), event["event"], _facts(event)) for event in document["events"])
    events = ViewSection("What happened", (ViewTable("events", "", columns, rows),))
    highlights = (
        Highlight("simulated time", time_of(document["simulated_s"])),
        Highlight("failures", count_of(document["failures"])),
    )
    lead = (f"State {document['state']}.",)
    return View(f"Simulated operation of seed {document['seed']}", lead, highlights, (events,))


def _facts(event: dict[str, Any]) -> str:
    """Return what an event says beside its time and its name."""
    facts = ((key, value) for key, value in event.items() if key not in COMMON and value is not None)
    return ", ".join(f"{key} {describe_chips(value) if key == 'chips' else value}" for key, value in facts)
