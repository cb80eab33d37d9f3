"""``tianji calibrate``: constants that datasheets do not give, fitted to measured runs, or measured on this machine."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import click

from tianji.cli.output import watch
from tianji.cli.outputs import Outputs, output_options
from tianji.errors import FormatError


@click.command("calibrate")
@click.argument("tables", nargs=-1, metavar="[TABLE.csv]...")
@click.option(
    "--out", required=True, metavar="FILE",
    help="Where the calibration goes, a TOML file; with --here the pool, whose calibration goes beside it.",
)  # fmt: skip
@click.option("--here", is_flag=True, help="Measure the chips and links of this machine, and write a pool of them.")
@click.option(
    "--processes", type=int, metavar="N",
    help="With --here: at most so many chips.  [default: all accelerators, or 8 processes on a CPU]",
)  # fmt: skip
@click.option("--rounds", default=5, show_default=True, metavar="N", help="With --here: repeats of each measurement.")
@click.option("--seconds", default=0.05, show_default=True, metavar="X", help="With --here: length of one repeat.")
@click.option(
    "--device", default="", metavar="cpu", help="With --here: cpu measures processes even beside accelerators."
)
@click.option(
    "--split", default="fit", show_default=True, metavar="WORD",
    help="Only rows with this word in the column split set constants; rows of a table without that column all do.",
)  # fmt: skip
@click.option("--name", metavar="NAME", help="Name of the calibration.  [default: that of the file]")
@click.option("--date", metavar="DATE", help="Date that the file states, like 2026-11-24.  [default: today]")
@output_options
def calibrate_command(
    tables: tuple[str, ...], out: str, here: bool, processes: int | None, rounds: int, seconds: float, device: str, split: str,
    name: str | None, date: str | None, outputs: Outputs,
) -> None:  # fmt: skip
    r"""Fit what datasheets do not say (efficiencies, overlap, overheads, effects of software) to measured runs.

    TABLE.csv is a table as `tianji validate` takes it; without one the shipped tables are used. Every constant carries its
    evidence and its standard error, and a chip without runs inherits from its closest relative with a wider range. Datasheet
    figures are never changed. Use the file with --calibration FILE in any command.

    With --here this machine is measured instead, in some minutes: matmuls, memory, attention, layers, the optimizer and all
    collectives, with 1, 2, 4 ... processes at work. It needs the extra: pip install 'tianji[run]'.

    \b
    Examples:
      tianji calibrate my-runs.csv --out mine.toml
      tianji validate my-runs.csv --calibration mine.toml
      tianji calibrate --here --out pool.toml
      tianji plan MODEL pool.toml --calibration pool-calibration.toml --chips 4 --precision fp32 --out plan.json
    """
    named, dated = name or Path(out).stem, date or datetime.date.today().isoformat()
    if here:
        if tables:
            raise FormatError("--here measures this machine and takes no table; leave out one of them")
        _calibrate_here(out, named, dated, (processes, rounds, seconds, device), outputs)
        return
    from tianji.calibration import calibrate_rows
    from tianji.catalog.calibrations import write_calibration
    from tianji.report.documents.calibration import calibration_document
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
        calibration = calibrate_rows(chosen, named, dated)
    try:
        write_calibration(calibration, out)
    except OSError as error:
        raise FormatError(f"{out}: cannot be written ({error.strerror}); name a file in a folder that exists") from None
    outputs.present(calibration_document(calibration, out, len(chosen), len(skipped)))


def _calibrate_here(
    out: str, name: str, date: str, effort: tuple[int | None, int, float, str], outputs: Outputs
) -> None:
    """Measure this machine and write both files; where one cannot be written, neither is."""
    from tianji.backends.microbenchmarks.measure_machine import describe_calibration, measure_here
    from tianji.backends.microbenchmarks.pool_text import format_pool
    from tianji.catalog.calibrations import format_calibration
    from tianji.parallel.plan_file import find_target, write_text
    from tianji.report.documents.machine import machine_document

    beside = str(Path(out).with_name(f"{Path(out).stem}-calibration.toml"))
    if not out.endswith(".toml"):
        raise FormatError(f"--out: expected the name of a pool's file, which ends in .toml, got {out!r}")
    for path in (out, beside):
        find_target(path)
    processes, rounds, seconds, device = effort
    if rounds < 1 or not 0.0 < seconds <= 10.0:
        raise FormatError(f"expected --rounds from 1 and --seconds up to 10, got {rounds} and {seconds:g}")
    with watch("Things measured") as tell:
        sizes = measure_here(processes, rounds=rounds, seconds=seconds, device=device, tell=tell)
    write_text(beside, format_calibration(describe_calibration(f"{name}-calibration", date, sizes, chips=name)))
    write_text(out, format_pool(name, date, sizes))
    outputs.present(machine_document(sizes, out, beside))
