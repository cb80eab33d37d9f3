"""``tianji calibrate``: constants that datasheets do not give, fitted to measured runs."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import click

from tianji.cli.options import json_option
from tianji.cli.output import make_console, print_json, watch
from tianji.errors import FormatError


@click.command("calibrate")
@click.argument("tables", nargs=-1, metavar="[TABLE.csv]...")
@click.option("--out", required=True, metavar="FILE", help="Where the calibration goes, a TOML file.")
@click.option(
    "--split", default="fit", show_default=True, metavar="WORD",
    help="Only rows with this word in the column split set constants; rows of a table without that column all do.",
)  # fmt: skip
@click.option("--name", metavar="NAME", help="Name of the calibration.  [default: that of the file]")
@click.option("--date", metavar="DATE", help="Date that the file states, like 2026-11-24.  [default: today]")
@json_option
def calibrate_command(
    tables: tuple[str, ...], out: str, split: str, name: str | None, date: str | None, as_json: bool
) -> None:
    """Fit what datasheets do not say (efficiencies, overlap, overheads, effects of software) to measured runs.

    TABLE.csv is a table as `tianji validate` takes it; without one the shipped tables are used. Every constant carries its
    evidence and its standard error, and a chip without runs inherits from its closest relative with a wider range. Datasheet
    figures are never changed. Use the file with --calibration FILE in any command.

    \b
    Examples:
      tianji calibrate my-runs.csv --out mine.toml
      tianji validate my-runs.csv --calibration mine.toml
    """  # noqa: D301
    from tianji.calibration import calibrate_rows
    from tianji.catalog.calibrations import write_calibration
    from tianji.validation import read_runs

    rows, skipped = read_runs(tables)
    rows = [row for row in rows if row.split in ("", split)]
    if not rows:
        raise FormatError(
            f"no row with {split!r} in the column split; write --split with a word that the table has, or leave the column out"
        )
    # A word other than "fit" was asked for by name, so its rows may set constants.
    chosen = [replace(row, split="fit") if row.split == split else row for row in rows]
    with watch("Fitting rows") as tell:
        tell(len(chosen))
        found = calibrate_rows(chosen, name or Path(out).stem, date or datetime.date.today().isoformat())
    try:
        write_calibration(found, out)
    except OSError as error:
        raise FormatError(f"{out}: cannot be written ({error.strerror}); name a file in a folder that exists") from None
    if as_json:
        from tianji.report.calibration_tables import calibration_summary

        print_json({"out": out, "rows": len(chosen), "skipped": len(skipped), **calibration_summary(found)})
        return
    from tianji.report.calibration_tables import print_calibration

    print_calibration(make_console(), found, out, len(chosen), len(skipped))
