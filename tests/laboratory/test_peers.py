"""Peers' predictions stand beside ours on shared rows."""

import csv

import pytest

from benchmarks.accuracy.peers import PUBLISHED, compare_peers
from tianji.validation import validate


def test_errors_are_those_of_the_shipped_table() -> None:
    rows = list(csv.DictReader(PUBLISHED.read_text("utf-8").splitlines()))
    verdict = validate(split="check", quality="A")
    known = {p.row.id: p for p in verdict.predictions}
    for peer in compare_peers(verdict.predictions):
        mine = [r for r in rows if r["peer"] == peer.name and r["id"] in known]
        errors = [float(r["predicted_step_time_s"]) / known[r["id"]].row.measured_step_time - 1 for r in mine]
        assert sorted(peer.theirs) == pytest.approx(sorted(errors))
        assert len(peer.ours) == len(errors)
