"""What is shown of a move to MindSpore: which of PyTorch's names have a counterpart, and whether a twin runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tianji.formatting import format_percent
from tianji.report.view import Block, Facts, Highlight, ViewColumn, ViewTable
from tianji.report.views.cells import count_of

Document = Mapping[str, Any]
SHOWN = 20
"""Rows that a terminal shows."""


def mindspore_lead(coverage: Document) -> Iterable[str]:
    """Return that the code is written anew, and what the rest of the page is for."""
    share = format_percent(coverage["share_of_uses"], 0)
    yield (
        f"Code of PyTorch is written anew for MindSpore: {coverage['names']:,} of its names are used, and {share} of the"
        " uses have a counterpart."
    )
    yield "Answers, class and lines below are those of a move that keeps PyTorch (torch_npu), for comparison."


def mindspore_highlight(coverage: Document) -> Highlight:
    """Return how many names have no counterpart that the table knows."""
    written = coverage["counts"]["none"] + coverage["counts"]["unlisted"]
    return Highlight("names without a known counterpart", count_of(written), f"of {coverage['names']:,}")


def mindspore_blocks(coverage: Document) -> Iterable[Block]:
    """Return the counterparts, and the commands of a twin."""
    counts = ", ".join(
        f"{count:,} {relation.replace('_', ' ')}" for relation, count in coverage["counts"].items() if count
    )
    yield f"{coverage['names']:,} names: {counts}; {format_percent(coverage['share_of_uses'], 0)} of the uses have a counterpart."
    columns = (
        ViewColumn("torch"),
        ViewColumn("MindSpore"),
        ViewColumn("relation"),
        ViewColumn("uses"),
        ViewColumn("difference", rank=1),
        ViewColumn("first place", rank=2),
    )
    rows = tuple(
        (
            c["torch"],
            c["mindspore"] or "-",
            c["relation"].replace("_", " ") + (" (our judgement)" if "our inference" in c["source"] else ""),
            count_of(c["uses"]),
            c["difference"] or "-",
            c["place"],
        )
        for c in coverage["counterparts"]
    )
    yield ViewTable("mindspore", "", columns, rows, most=SHOWN)
    twin = coverage["twin"]
    if twin is not None:
        yield f"A twin under MindSpore: {twin['reason']}."
        yield Facts(tuple(("Run", command) for command in twin["commands"]))
