"""A verdict: a table of measured runs, predicted and compared."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tianji.catalog import load_calibration
from tianji.catalog.entries import DATA
from tianji.errors import FormatError
from tianji.hardware.calibration import Calibration
from tianji.measurements.rows import Row
from tianji.measurements.table import Skipped, hint_columns, hint_words, read_table
from tianji.prediction.mapper import Mapper
from tianji.validation.accuracy import (
    Accuracy,
    MemoryAccuracy,
    group_predictions,
    measure_accuracy,
    measure_memory,
)
from tianji.validation.pricing import Prediction, predict_rows
from tianji.validation.sweeps import Ranking, measure_ranking

SHIPPED = DATA / "measurements"
"""The folder of the published measurements that come with Tianji."""
MOST_REASONS = 5
"""Reasons that a message names."""
NOT_RUNS = ("vocabulary.csv", "words.csv")
"""Tables in it that hold no measured runs."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Predicted beside measured for each row of some tables, and what that says."""

    tables: tuple[str, ...]
    calibration: str
    predictions: tuple[Prediction, ...]
    """Those with a step time."""
    skipped: tuple[Skipped, ...]
    hints: tuple[str, ...] = ()
    """Columns that look like a slip of the pen, and what they may mean."""

    def __repr__(self) -> str:
        return f"Verdict({len(self.predictions):,} rows predicted, {len(self.skipped):,} skipped, calibration {self.calibration})"

    @property
    def step_time(self) -> Accuracy:
        """Of all rows."""
        return measure_accuracy(self.predictions)

    @property
    def memory(self) -> MemoryAccuracy:
        """Of all rows."""
        return measure_memory(self.predictions)

    @property
    def ranking(self) -> Ranking:
        """Of all sweeps."""
        return measure_ranking(self.predictions)

    def reasons(self) -> Counter[str]:
        """Return how many rows were skipped for each reason."""
        return Counter(skip.reason for skip in self.skipped)

    def group(self, by: str) -> dict[str, tuple[Accuracy, MemoryAccuracy]]:
        """Return the accuracy of each group.

        Raises UnknownNameError for a word that rows cannot be grouped by.
        """
        groups = group_predictions(self.predictions, by)
        return {name: (measure_accuracy(part), measure_memory(part)) for name, part in groups.items()}


def find_tables() -> tuple[Path, ...]:
    """Return the shipped tables of measured runs."""
    return tuple(path for path in sorted(SHIPPED.glob("*.csv")) if path.name not in NOT_RUNS)


def read_runs(
    paths: Sequence[str | os.PathLike[str]] = (), *, split: str = "", quality: str = ""
) -> tuple[list[Row], list[Skipped]]:
    """Return the rows of some tables (none named: the shipped ones), and those that cannot be used, with the reasons.

    ``split`` and ``quality`` keep the rows that have that word in the column of that name.

    Raises FormatError for a file that is no such table, and when nothing is left.
    """
    rows, skipped, _ = _read_tables(paths, split, quality)
    return rows, skipped


def _read_tables(
    paths: Sequence[str | os.PathLike[str]], split: str, quality: str
) -> tuple[list[Row], list[Skipped], list[str]]:
    rows: list[Row] = []
    skipped: list[Skipped] = []
    hints: list[str] = []
    for path in paths or find_tables():
        table = read_table(path)
        hints += [*hint_columns(table.ignored), *hint_words(table.left_over)]
        rows += [r for r in table.rows if _is_wanted(r, split, quality)]
        skipped += [s for s in table.skipped if _is_wanted(s, split, quality)]
    if not rows and not skipped:
        wanted = " and ".join(f"{k} = {v}" for k, v in (("split", split), ("quality", quality)) if v)
        raise FormatError(
            f"{', '.join(str(p) for p in paths) or 'the shipped tables'}: no row{f' with {wanted}' if wanted else ''}"
        )
    return rows, skipped, hints


def _is_wanted(row: Row | Skipped, split: str, quality: str) -> bool:
    return (not split or row.split == split) and (not quality or row.quality == quality)


def validate(
    paths: Sequence[str | os.PathLike[str]] = (),
    calibration: Calibration | None = None,
    *,
    split: str = "",
    quality: str = "",
    mapper: Mapper | None = None,
) -> Verdict:
    """Predict every row of some tables of measured runs (none named: the shipped ones) and compare.

    Without a calibration the shipped one counts. A ``mapper`` prices the rows elsewhere.

    Raises FormatError for a file that is no such table, when no row has the given split and quality, and when none of them can
    be predicted.
    """
    rows, skipped, hints = _read_tables(paths, split, quality)
    calibration = load_calibration() if calibration is None else calibration
    predictions = predict_rows(rows, calibration, mapper=mapper)
    names = tuple(Path(p).name for p in paths or find_tables())
    predicted = tuple(p for p in predictions if p.step_time is not None)
    skipped += [Skipped(p.row.id, p.reason, p.row.split, p.row.quality) for p in predictions if p.step_time is None]
    if not predicted:
        raise FormatError(_say_why_none(names, skipped))
    return Verdict(names, calibration.name, predicted, tuple(skipped), tuple(hints))


def _say_why_none(tables: Sequence[str], skipped: Sequence[Skipped]) -> str:
    """Return that no row can be predicted, with the most frequent reasons and the first row of each."""
    first: dict[str, str] = {}
    for skip in skipped:
        first.setdefault(skip.reason, skip.id)
    counts = Counter(skip.reason for skip in skipped).most_common(MOST_REASONS)
    reasons = "".join(f"\n  {count:,} x {reason} (first: {first[reason]})" for reason, count in counts)
    return (
        f"{', '.join(tables)}: none of {len(skipped):,} rows can be predicted:{reasons}\n"
        "`tianji validate --columns` explains the columns"
    )
