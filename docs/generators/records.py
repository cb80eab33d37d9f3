"""The best that was measured: writes ``catalog/data/records.csv`` from the shipped tables.

Usage: python docs/generators/records.py

For each chip, class of model and dtype the run of the highest MFU, as Tianji counts it (model FLOPs over the dense peak of that
dtype), where all weights were trained. For each class the runs of the largest micro-batches: none that is left out had more
sequences in a micro-batch with a model and sequences at least as large. Rows of quality C, and times that were put together from
parts, set no record; nor do models with recurrences, which are of neither class.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from benchmarks.accuracy.sources import COMPOSED
from tianji.errors import UnknownFigureError
from tianji.measurements.records import COLUMNS, FILE, class_of
from tianji.measurements.rows import Row
from tianji.validation.verdict import read_runs
from tianji.workload.layers import step_flops

Record = dict[str, str]


def main() -> None:
    """Write the table."""
    FILE.write_text(write_records(read_runs()[0]), encoding="utf-8")


def write_records(rows: Iterable[Row]) -> str:
    """Return the table of records as CSV."""
    whole = [row for row in rows if not row.job.task.is_frozen]
    alike = [row for row in whole if not any(part.layer.scans for part in row.job.model.block_parts)]
    kept = [row for row in alike if row.quality in ("A", "B") and row.source not in COMPOSED]
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows([*_highest_mfu(kept), *_largest_micro_batches(kept)])
    return text.getvalue()


def _highest_mfu(rows: list[Row]) -> Iterator[Record]:
    best: dict[tuple[str, str, str], tuple[float, Row]] = {}
    for row in rows:
        try:
            reached = find_mfu(row)
        except UnknownFigureError:
            continue
        key = row.pool.chip.name, class_of(row.job.model), row.job.precision.linear
        if key not in best or reached > best[key][0]:
            best[key] = reached, row
    for _, (value, row) in sorted(best.items()):
        yield _record("mfu", row, f"{value:.4f}")


def find_mfu(row: Row) -> float:
    """Return the MFU of a measured run.

    Raises UnknownFigureError where the peak of the run's dtype is not published.
    """
    job = row.job
    flops = step_flops(job.model, job.seq_len, job.tokens_per_step, job.causal)
    peak = row.pool.chip.matrix_peak(job.precision.linear)
    return float(flops / (row.measured_step_time * row.strategy.chips * peak))


def _largest_micro_batches(rows: list[Row]) -> Iterator[Record]:
    by_size = sorted(rows, key=lambda r: (class_of(r.job.model), -r.strategy.micro_batch_size, -r.job.model.num_parameters,
                                          -r.job.seq_len, r.id))  # fmt: skip
    kept: list[Row] = []
    for row in by_size:
        if not any(_holds(record, row) for record in kept):
            kept.append(row)
    for row in kept:
        yield _record("micro_batch", row, str(row.strategy.micro_batch_size))


def _holds(record: Row, row: Row) -> bool:
    """Return whether a run with at least as many sequences in a micro-batch had a model and sequences as large."""
    one, other = record.job, row.job
    return (
        class_of(one.model) == class_of(other.model)
        and one.model.num_parameters >= other.model.num_parameters
        and one.seq_len >= other.seq_len
    )


def _record(kind: str, row: Row, value: str) -> Record:
    job, of_mfu = row.job, kind == "mfu"
    return {
        "record": kind,
        "chip": row.pool.chip.name if of_mfu else "",
        "class": class_of(job.model),
        "dtype": job.precision.linear if of_mfu else "",
        "value": value,
        "params_b": f"{job.model.num_parameters / 1e9:.4g}",
        "seq_len": str(job.seq_len),
        "chips": str(row.strategy.chips),
        "run": row.id,
        "source": row.source,
    }


if __name__ == "__main__":
    main()
