"""The view of a node that was started for a pool under Ray, or ended: what to type next."""

from __future__ import annotations

from collections.abc import Iterator

from tianji.report.documents.pool_node import PoolNodeDocument
from tianji.report.view import View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of


def pool_node_view(document: PoolNodeDocument) -> View:
    """Return the view of ``tianji pool up`` and ``tianji pool down``."""
    state = "up" if document["is_up"] else "down"
    columns = tuple(map(ViewColumn, ("node", "role", "state", "chips", "process")))
    row = (document["host"], document["role"], state, count_of(document["chips"]), str(document["pid"]))
    table = ViewTable("node", "", columns, (row,))
    title = f"Pool {document['address']}: {document['role']} is {state}"
    return View(title, tuple(_next_steps(document)), (), (ViewSection("Node", (table,)),))


def _next_steps(document: PoolNodeDocument) -> Iterator[str]:
    if not document["is_up"]:
        return
    if document["role"] == "head" and not document["host"].startswith("127."):
        yield f"On each further host, with a copy of {document['token_file']}:"
        yield f"tianji pool up --host ITS-ADDRESS --join {document['address']} --token COPY"
    yield "`tianji run PLAN.json --engine ray` trains on it; `tianji pool down` ends it."
