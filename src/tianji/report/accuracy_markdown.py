"""Chapters in Markdown on how far predictions are from what was measured, for any table of runs."""

from __future__ import annotations

from collections.abc import Sequence

from tianji.report.vocabulary import percent_of, signed_percent_of
from tianji.validation import Accuracy, Verdict, find_sweeps

GROUPINGS = (("class", "By class of model"), ("feature", "By what the layout uses"), ("chip", "By chip"),
             ("scale", "By number of chips"), ("precision", "By recipe"), ("source", "By source"))  # fmt: skip
HEAD = ("", "rows", "median", "90th percentile", "bias", "in 80 % range")
WORST_SWEEPS = 10


def write_accuracy(verdict: Verdict, figure: str) -> str:
    """Return a page on the rows of some tables; ``figure`` is the file of the picture."""
    return "\n".join(
        [
            "# Predicted against measured\n",
            "An error is predicted over measured step time, less 1.\n",
            write_counts(verdict),
            f"![Predicted against measured step times]({figure})\n",
            *write_groups(verdict),
            "## Ranking\n",
            *write_sweeps(verdict),
            write_memory(verdict),
        ]
    )


def write_counts(verdict: Verdict) -> str:
    """Return the calibration, the rows predicted and why the others were skipped."""
    reasons = "; ".join(f"{count} × {reason}" for reason, count in verdict.reasons().most_common()) or "none"
    return (
        f"Calibration: `{verdict.calibration}`. Rows: {len(verdict.predictions):,} predicted, {len(verdict.skipped):,} skipped"
        f" ({reasons}).\n"
    )


def write_groups(verdict: Verdict) -> list[str]:
    """Return the errors of step time, of all rows and by group."""
    parts = ["## Step time\n", markdown_table(HEAD, [accuracy_cells("all", verdict.step_time)])]
    for by, title in GROUPINGS:
        rows = [accuracy_cells(name, accuracy) for name, (accuracy, _) in verdict.group(by).items()]
        parts.append(f"### {title}\n\n{markdown_table(HEAD, rows)}")
    return parts


def accuracy_cells(name: str, a: Accuracy) -> list[str]:
    """Return a row of a table with HEAD."""
    return [
        name,
        f"{a.count:,}",
        percent_of(a.median),
        percent_of(a.p90),
        signed_percent_of(a.bias),
        percent_of(a.coverage),
    ]


def write_sweeps(verdict: Verdict) -> list[str]:
    """Return the sweeps in which our pick would have cost most."""
    sweeps = sorted(find_sweeps(verdict.predictions), key=lambda s: -s.regret)[:WORST_SWEEPS]
    rows = [
        [
            s.architecture,
            f"{s.chips:,} {s.chip}",
            str(len(s.predictions)),
            f"{s.spearman:.2f}",
            percent_of(s.regret),
            s.source,
        ]
        for s in sweeps
    ]
    head = ("model", "chips", "layouts", "rank correlation", "regret", "source")
    return ["### The ten sweeps with the largest regret\n", markdown_table(head, rows)]


def write_memory(verdict: Verdict) -> str:
    """Return the errors of memory by source, and what ran but is called out of memory."""
    rows = []
    for name, (_, memory) in verdict.group("source").items():
        if memory.count or memory.called_out:
            cells = [percent_of(memory.median), percent_of(memory.p90), signed_percent_of(memory.bias)]
            rows.append([name, f"{memory.count:,}", *cells, f"{memory.called_out} of {memory.ran}"])
    head = ("source", "rows that state it", "median", "90th percentile", "bias", "called out of memory though it ran")
    return f"## Memory\n\n{markdown_table(head, rows)}"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
