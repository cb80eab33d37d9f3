"""``validate`` and ``calibrate``: measured runs beside their predictions, and corrections that are fitted to them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tianji.api.answer import Answer
from tianji.api.own_rows import add_own_rows
from tianji.api.progress import show_progress
from tianji.api.requests import CalibrationLike, File, find_calibration
from tianji.backends.mapping import open_mapper
from tianji.calibration import calibrate_rows
from tianji.catalog.calibrations import write_calibration
from tianji.errors import FormatError, UnknownNameError
from tianji.formatting import format_percent
from tianji.hardware.calibration import Calibration
from tianji.measurements.rows import Row
from tianji.measurements.template import write_template
from tianji.parallel.plan_file import find_target
from tianji.report.documents.calibration import calibration_document
from tianji.report.documents.columns import columns_document
from tianji.report.documents.own_rows import AddedRowsDocument
from tianji.report.documents.validation import verdict_document
from tianji.validation import GROUPS, Verdict, read_runs
from tianji.validation import validate as validate_tables

GROUPED_BY = ("chip",)


def validate(
    *tables: File,
    calibration: CalibrationLike = None,
    split: str = "",
    quality: str = "",
    group_by: str | Iterable[str] | None = None,
    rows: bool = False,
    columns: bool = False,
    template: File | None = None,
    workers: str = "local",
) -> Answer[Verdict] | Answer[None]:
    """Predict measured runs and say how far off the predictions are.

    ``tables`` are CSV files whose columns ``columns=True`` explains and
    ``template="mine.csv"`` writes; without one the published measurements that come
    with Tianji are used. A row that cannot be
    predicted is skipped, and the reasons are counted.

    ``split`` (fit or check) and ``quality`` (A, B or C) keep the rows with that word in
    the column of that name. ``group_by`` gives the accuracy by chip, source, software,
    class, feature, scale ...; ``rows`` shows every row, not only the worst.

    Raises FormatError for a file that is no such table, and when no row is left.
    """
    if columns or template is not None:
        asked = "--columns" if template is None else "--template"
        _refuse_beside(asked, tables, {"split": split, "quality": quality, "group-by": group_by, "rows": rows})
        notes = () if template is None else (_write_template(template),)
        return Answer(None, "columns of a table of measured runs", columns_document, notes=notes)
    groups = read_groups(group_by)
    constants = find_calibration(calibration)
    with open_mapper(workers) as mapper:
        verdict = validate_tables(tables, constants, split=split, quality=quality, mapper=mapper)
    time, skipped = verdict.step_time, len(verdict.skipped)
    within = ""
    if time.median is not None and time.p90 is not None:
        within = f": half within {format_percent(time.median)}, nine of ten within {format_percent(time.p90)}"
    summary = f"validation of {time.count:,} step times ({skipped:,} rows skipped){within}"
    return Answer(verdict, summary, partial(verdict_document, verdict, groups), constants, every_row=rows)


def _write_template(path: File) -> str:
    """Write the columns of a table and one line that shows them; return what the user is told.

    Raises FormatError where the file exists or cannot be written.
    """
    try:
        with Path(path).open("x", encoding="utf-8") as file:
            file.write(write_template())
    except FileExistsError:
        raise FormatError(f"--template {path}: the file exists; name one that does not") from None
    except OSError as error:
        raise FormatError(
            f"--template {path}: cannot be written ({error.strerror}); name a file in a folder that exists"
        ) from None
    return f"{path} has the columns of a table: write a line for each run over its line, with step_time_s"


def _refuse_beside(asked: str, tables: Iterable[File], options: Mapping[str, object]) -> None:
    """Raise FormatError for a table or an option that the list of columns does not use."""
    given = [str(table) for table in tables] + [f"--{name}" for name, value in options.items() if value]
    if given:
        raise FormatError(
            f"{asked} explains what any table may hold, and reads none: leave out {', '.join(given)}, or {asked}"
        )


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
    base: CalibrationLike = None,
) -> Answer[Any]:
    """Fit what datasheets do not say to measured runs, or measure this machine.

    ``tables`` are those of ``tianji.validate``: their rows are added to ``base``
    (default: the shipped calibration; "none" fits them alone), and the answer says what
    moved. Without a table the shipped ones are fitted. ``split`` names the rows that
    count. ``answer.result`` is the
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
        calibration, added = _fit_rows(chosen, base, bool(tables), named, dated)
    if out is not None:
        try:
            write_calibration(calibration, out)
        except OSError as error:
            raise FormatError(
                f"{out}: cannot be written ({error.strerror}); name a file in a folder that exists"
            ) from None
    how = f"with {len(chosen):,} rows added to {added['base']}" if added else f"fitted to {len(chosen):,} rows"
    make_document = partial(
        calibration_document, calibration, "" if out is None else str(out), len(chosen), len(skipped), added
    )
    return Answer(calibration, f"calibration {named} of {dated}, {how}", make_document, calibration)


def _fit_rows(
    rows: list[Row], base: CalibrationLike, is_own: bool, name: str, date: str
) -> tuple[Calibration, AddedRowsDocument | None]:
    """Return what rows give: added to a calibration where they are one's own and it knows any chip, else fitted alone."""
    if not is_own and base is not None:
        raise FormatError("--base is what own rows are added to: name a table, or leave it out")
    known = find_calibration(base) if is_own else None
    if known is None or not known.chips:
        return calibrate_rows(rows, name, date), None
    return add_own_rows(rows, known, name, date)
