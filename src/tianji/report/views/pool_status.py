"""The view of a pool under Ray: its nodes, and the chips that are free."""

from __future__ import annotations

from tianji.report.documents.pool_status import PoolStatusDocument
from tianji.report.view import Highlight, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of
from tianji.report.views.request_summary import bottom_lines


def pool_status_view(document: PoolStatusDocument) -> View:
    """Return the view of ``tianji pool status``."""
    rows = tuple(
        (
            node["host"],
            "alive" if node["is_alive"] else "gone",
            count_of(node["chips"]),
            count_of(node["cpus"]),
            node["place"],
        )
        for node in document["nodes"]
    )
    columns = (ViewColumn("node"), ViewColumn("state"), ViewColumn("chips"), ViewColumn("CPUs"), ViewColumn("place"))
    highlights = (Highlight("chips", count_of(document["chips"])), Highlight("free chips", count_of(document["free"])))
    nodes = ViewSection("Nodes", (ViewTable("nodes", "", columns, rows),))
    return View(f"Pool {document['address']}", (), highlights, (nodes,), bottom=bottom_lines(document["bottom_line"]))
