"""``tianji calibrate``: constants that datasheets do not give, fitted to measured runs, or measured on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tianji.cli.outputs import answering

if TYPE_CHECKING:
    from tianji.api.answer import Answer


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
@click.option(
    "--base", metavar="NAME|FILE",
    help="Calibration that the rows of TABLE.csv are added to; none fits them alone.  [default: default]",
)  # fmt: skip
@click.option("--name", metavar="NAME", help="Name of the calibration.  [default: that of the file]")
@click.option("--date", metavar="DATE", help="Date that the file states, like 2026-11-24.  [default: today]")
@answering
def calibrate_command(tables: tuple[str, ...], **options: Any) -> Answer[Any]:
    r"""Fit what datasheets do not say (efficiencies, overlap, overheads, effects of software) to measured runs.

    TABLE.csv is a table as `tianji validate` takes it (`tianji validate --template FILE` writes its columns). Its rows are added
    to the shipped calibration: your chips and software are predicted as they ran, and the answer says what moved. Without a
    table the shipped ones are fitted: every constant carries its evidence and its standard error, and a chip without runs
    inherits from its closest relative with a wider range. Datasheet figures are never changed. Use the file with --calibration
    FILE in any command.

    With --here this machine is measured instead, in some minutes: matmuls, memory, attention, layers, the optimizer and all
    collectives, with 1, 2, 4 ... processes at work. It needs the extra: pip install '.[run]'.

    \b
    Examples:
      tianji calibrate my-runs.csv --out mine.toml
      tianji validate my-runs.csv --calibration mine.toml
      tianji calibrate --here --out pool.toml
      tianji plan MODEL pool.toml --calibration pool-calibration.toml --chips 4 --precision fp32 --out plan.json
    """
    from tianji.api.validating import calibrate

    return calibrate(*tables, **options)
