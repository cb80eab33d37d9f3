"""The nearest published runs of a plan, in a view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tianji.report.documents.nearest import NearRunDocument
from tianji.report.view import Number, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import time_of
from tianji.report.vocabulary import signed_percent_of

SPLITS = {"fit": "fitted on it", "check": "never saw it"}
"""What constants and a published run have to do with each other."""
NOTE = "Each as it was published, with its own software. Error: predicted over measured, less 1."


def nearest_section(nearest: Sequence[NearRunDocument]) -> Iterator[ViewSection]:
    """Yield the table of the nearest published runs, where there are any."""
    if nearest:
        yield ViewSection("Published beside predicted", (nearest_table(nearest),))


def nearest_table(nearest: Sequence[NearRunDocument]) -> ViewTable:
    """Return the nearest published runs with our error on each."""
    columns = (
        ViewColumn("run"), ViewColumn("what differs"), ViewColumn("measured", "s"), ViewColumn("predicted", "s", rank=1),
        ViewColumn("error", "1"), ViewColumn("constants", rank=2),
    )  # fmt: skip
    rows = tuple(
        (
            run["id"],
            ", ".join(run["differs"]) or "nothing: this job",
            time_of(run["measured_step_time_s"]),
            time_of(run["predicted_step_time_s"] or 0.0),
            Number(run["error"] or 0.0, signed_percent_of(run["error"])),
            SPLITS.get(run["split"], ""),
        )
        for run in nearest
    )
    return ViewTable("nearest", "", columns, rows, NOTE)
