"""``validate`` and ``calibrate``: measured runs beside their predictions, and corrections that are fitted to them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tianji.api.answer import Answer
from tianji.api.presenting import Presentation
from tianji.api.progress import show_progress
from tianji.api.requests import CalibrationLike, File, find_calibration
from tianji.backends.mapping import open_mapper
from tianji.calibration import calibrate_rows
from tianji.catalog.calibrations import write_calibration
from tianji.errors import FormatError, UnknownNameError
from tianji.hardware.calibration import Calibration
from tianji.parallel.plan_file import find_target
from tianji.validation import GROUPS, Verdict, read_runs
from tianji.validation import validate as validate_tables

if TYPE_CHECKING:
    from rich.console import Console

GROUPED_BY = ("chip",)


def validate(
    *tables: File,
    calibration: CalibrationLike = None,
    split: str = "",
    quality: str = "",
    group_by: str | Iterable[str] | None = None,
    rows: bool = False,
    workers: str = "local",
) -> Answer[Verdict]:
    """Predict measured runs and say how far off the predictions are.

    ``tables`` are CSV files with the columns of docs/accuracy.md; without one the
    published measurements that come with Tianji are used. A row that cannot be
    predicted is skipped, and the reasons are counted.

    ``split`` (fit or check) and ``quality`` (A, B or C) keep the rows with that word in
    the column of that name. ``group_by`` gives the accuracy by chip, source, software,
    class, feature, scale ...; ``rows`` shows every row, not only the worst.

    Raises FormatError for a file that is no such table, and when no row is left.
    """
    groups = read_groups(group_by)
    constants = find_calibration(calibration)
    with open_mapper(workers) as mapper:
        verdict = validate_tables(tables, constants, split=split, quality=quality, mapper=mapper)
    return Answer(verdict, VerdictPresentation(verdict, groups, rows), constants)


def read_groups(group_by: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return the names of groupings; a text joins them with commas.

    Raises UnknownNameError for a word that rows cannot be grouped by.
    """
    if group_by is None:
        return GROUPED_BY
    words = group_by.split(",") if isinstance(group_by, str) else group_by
    names = tuple(name.strip() for name in words if name.strip())
    for name in names:
        if name not in GROUPS:
            raise UnknownNameError("group", name, GROUPS)
    return names


@dataclass(frozen=True)
class VerdictPresentation(Presentation):
    """What is shown of predictions beside measurements."""

    verdict: Verdict
    groups: tuple[str, ...]
    every_row: bool

    def summary(self) -> str:
        """Return how far off the step times are."""
        time, skipped = self.verdict.step_time, len(self.verdict.skipped)
        within = (
            f": half within {time.median:.1%}, nine of ten within {time.p90:.1%}" if time.median is not None else ""
        )
        return f"validation of {time.count:,} step times ({skipped:,} rows skipped){within}"

    def make_document(self) -> Mapping[str, Any]:
        """Return every row, and the summary."""
        from tianji.report.documents.validation import verdict_document

        return verdict_document(self.verdict, self.groups)

    def print_tables(self, console: Console) -> None:
        """Print the summary, the groups and the rows."""
        from tianji.report.accuracy_tables import print_verdict

        print_verdict(console, self.verdict, self.groups, every_row=self.every_row)


# --- calibrations ---------------------------------------------------------------------------------------------
def calibrate(
    *tables: File,
    out: File | None = None,
    here: bool = False,
    processes: int | None = None,
    rounds: int = 5,
    seconds: float = 0.05,
    device: str = "",
    split: str = "fit",
    name: str | None = None,
    date: str | None = None,
) -> Answer[Any]:
    """Fit what datasheets do not say to measured runs, or measure this machine.

    ``tables`` are those of ``tianji.validate``; without one the shipped tables are
    used, and ``split`` names the rows that set constants. ``answer.result`` is the
    calibration, for ``calibration=`` of any verb; ``out`` writes it as a TOML file,
    which states ``name`` and ``date``. Datasheet figures are never changed.

    With ``here=True`` this machine is measured, in some minutes: ``out="pool.toml"``
    becomes a pool, and its calibration goes beside it. ``processes`` limits the chips,
    ``rounds`` and ``seconds`` set the repeats of each measurement and the length of
    one, ``device="cpu"`` measures processes even beside accelerators. It needs the
    extra ``tianji[run]``.

    Raises FormatError where no row is left or a file cannot be written.
    """
    named = name or ("calibration" if out is None else Path(out).stem)
    dated = date or datetime.date.today().isoformat()
    if here:
        from tianji.api.machine import measure_machine

        if tables:
            raise FormatError("--here measures this machine and takes no table; leave out one of them")
        if out is None:
            raise FormatError("--here writes a pool: give --out, like --out pool.toml")
        return measure_machine(str(out), named, dated, processes, rounds, seconds, device)
    rows, skipped = read_runs(tables)
    rows = [row for row in rows if row.split in ("", split)]
    if not rows:
        raise FormatError(
            f"no row with {split!r} in the column split; write --split with a word that the table has, or leave the"
            " column out"
        )
    if out is not None:
        find_target(out)
    # A word other than "fit" was asked for by name, so its rows may set constants.
    chosen = [replace(row, split="fit") if row.split == split else row for row in rows]
    with show_progress("Fitting rows") as progress:
        progress(len(chosen))
        calibration = calibrate_rows(chosen, named, dated)
    if out is not None:
        try:
            write_calibration(calibration, out)
        except OSError as error:
            raise FormatError(
                f"{out}: cannot be written ({error.strerror}); name a file in a folder that exists"
            ) from None
    shown = CalibrationPresentation(calibration, None if out is None else str(out), len(chosen), len(skipped))
    return Answer(calibration, shown, calibration)


@dataclass(frozen=True)
class CalibrationPresentation(Presentation):
    """What is shown of a fit."""

    calibration: Calibration
    out: str | None
    rows: int
    skipped: int

    def summary(self) -> str:
        """Return its name and what it was fitted to."""
        return f"calibration {self.calibration.name} of {self.calibration.date}, fitted to {self.rows:,} rows"

    def make_document(self) -> Mapping[str, Any]:
        """Return the fitted constants with their evidence."""
        from tianji.report.calibration_tables import calibration_summary

        return {"out": self.out, "rows": self.rows, "skipped": self.skipped, **calibration_summary(self.calibration)}

    def print_tables(self, console: Console) -> None:
        """Print the constants that rows set."""
        from tianji.report.calibration_tables import print_calibration

        print_calibration(console, self.calibration, self.out or "no file", self.rows, self.skipped)
