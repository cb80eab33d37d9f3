"""A pool under Ray: every node with its state, living chips counted."""

import json

from tianji.backends.ray_cluster.pool_control import Node, PoolStatus
from tianji.report.documents.pool_status import PoolStatusDocument, pool_status_document
from tianji.report.present import view_of
from tianji.report.render.terminal import print_view

from ..conftest import console_of
from ..documents.conformance import mismatches

STATUS = PoolStatus("10.0.0.1:6379", (Node("a", True, 4, 8, "hall 1"), Node("b", False, 4, 8, "")), 3)


def test_the_document_is_of_its_type_and_counts_what_lives() -> None:
    document = pool_status_document(STATUS)
    assert not list(mismatches(json.loads(json.dumps(document)), PoolStatusDocument))
    assert (document["chips"], document["free"]) == (4, 3)


def test_each_node_is_shown_with_its_state() -> None:
    console = console_of(80)
    print_view(console, view_of(pool_status_document(STATUS)))
    text = console.export_text()
    assert "10.0.0.1:6379" in text
    assert [line.split()[1] for line in text.splitlines() if line[:2] in ("a ", "b ")] == ["alive", "gone"]
