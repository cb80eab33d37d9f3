"""The view of what an operation was asked for."""

from __future__ import annotations

from tianji.report.documents.operation_request import OperationRequestDocument
from tianji.report.view import View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.operation_status import describe_chips


def operation_request_view(document: OperationRequestDocument) -> View:
    """Return the view of ``tianji operate stop``, ``cordon`` and ``uncordon``."""
    folder, chips = document["folder"], document["chips"]
    lead = f"`tianji operate status {folder}` says how it stands."
    columns = (ViewColumn("request"), ViewColumn("chips"))
    rows = ((document["request"], describe_chips(chips) if chips else "all"),)
    asked = ViewSection("Asked for", (ViewTable("request", "", columns, rows),))
    return View(f"Request to the operation in {folder}", (lead,), (), (asked,))
