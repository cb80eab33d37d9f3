"""``calibrate`` with one's own table: its rows are added to a calibration, and the answer says what they moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median

from tianji.calibration import Added, add_rows, compare_pairs
from tianji.hardware.calibration import Calibration
from tianji.measurements.rows import Row
from tianji.report.documents.own_rows import AddedRowsDocument, MovedRunsDocument, added_rows_document
from tianji.validation import read_runs
from tianji.validation.pricing import predict_rows


def add_own_rows(rows: Sequence[Row], base: Calibration, name: str, date: str) -> tuple[Calibration, AddedRowsDocument]:
    """Return a calibration with own rows added to another, and what moved: the own runs, and published runs of their like."""
    added = add_rows(rows, base, _predict, name, date)
    return added.calibration, added_rows_document(added, compare_pairs(added, _predict), _weigh_neighbours(added))


def _predict(rows: Sequence[Row], calibration: Calibration) -> list[float | None]:
    return [prediction.step_time for prediction in predict_rows(rows, calibration)]


def _weigh_neighbours(added: Added) -> list[MovedRunsDocument]:
    """Return how predictions of published runs moved, of the same chips or the same software, by both."""
    chips = {row.pool.chip.name for row in added.rows}
    software = {row.software.framework for row in added.rows}
    published, _ = read_runs(quality="A")
    near = [r for r in published if r.pool.chip.name in chips or r.software.framework in software]
    moved: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row, before, after in zip(near, _predict(near, added.base), _predict(near, added.calibration), strict=True):
        if before and after:
            moved[(row.pool.chip.name, row.software.framework)].append(after / before)
    return [
        {"chip": chip, "software": framework, "rows": len(ratios), "moved_ratio": median(ratios)}
        for (chip, framework), ratios in sorted(moved.items())
    ]
