"""``tianji replace``: how many chips of one pool replace another."""

from __future__ import annotations

from typing import Any

import click

from tianji.cli.options import workers_option
from tianji.cli.outputs import Outputs, output_options
from tianji.cli.pool_options import read_assumptions, read_cases, split, with_pool_options

MATCHES = ("throughput", "cost", "power", "deadline")


@click.command("replace")
@click.argument("model")
@click.option("--from", "first", required=True, metavar="POOL", help="The pool to replace, like 1024xhgx-h100.")
@click.option(
    "--with", "other", required=True, metavar="POOL", help="The pool that replaces it; its size is the answer."
)
@click.option(
    "--match", type=click.Choice(MATCHES), default="throughput", show_default=True, help="What is to be equal."
)
@click.option("--days", metavar="DAYS", help="Deadline of --match deadline.  [default: the days of the first pool]")
@click.option("--points", default="12", show_default=True, metavar="N", help="Sizes that draw each curve.")
@workers_option
@with_pool_options
@output_options
def replace_command(
    model: str, first: str, other: str, match: str, days: str | None, points: str, workers: str, calibration: str,
    outputs: Outputs, **options: Any,
) -> None:  # fmt: skip
    r"""Say how many chips of one pool replace another pool for MODEL.

    Throughput means useful tokens, after failures. Every size has its own best strategy; the answer comes with its range, the
    curves of both pools with their knees, and the assumptions that would flip it.

    \b
    Examples:
      tianji replace deepseek-v3 --from 1024xhgx-h100 --with cloudmatrix384
      tianji replace llama-3.1-405b --from 1024xhgx-h100 --with atlas-950-superpod --match power
      tianji replace llama-3.1-8b --from 64xhgx-h100 --with atlas-900-a2 --html replace.html
      tianji replace llama-3.1-70b --from 512xhgx-h100 --with atlas-900-a2 --match deadline --tokens 15T --days 90
    """
    from tianji.backends.mapping import open_mapper
    from tianji.catalog import load_calibration
    from tianji.cli.allocation import keep_freed_memory
    from tianji.comparison import replace_pool
    from tianji.errors import FormatError
    from tianji.report.documents.comparison import replacement_document
    from tianji.units import parse_count

    keep_freed_memory()
    work, money = split(options)
    cases, given, found = (
        read_cases(model, (first, other), **work),
        read_assumptions(**money),
        load_calibration(calibration),
    )
    wanted = parse_count(points, "--points")
    if not 2 <= wanted <= 100:
        raise FormatError(f"--points: expected 2 to 100 sizes, got {points}")
    if days is not None and match != "deadline":
        raise FormatError("--days counts only with --match deadline; give both, or neither")
    limit = None if days is None else read_days(days)
    with open_mapper(workers) as mapper:
        answer = replace_pool(cases[0], cases[1], found, given, match=match, days=limit, points=wanted, mapper=mapper)
    outputs.present(replacement_document(answer, found))


def read_days(text: str) -> float:
    """Return a number of days; the unit may be left out.

    >>> read_days("60"), read_days("1 years")
    (60.0, 365.25)

    Raises FormatError for what is no time above zero.
    """
    from tianji.errors import FormatError
    from tianji.units import DAY, parse

    try:
        days = float(text)
    except ValueError:
        days = parse(text, "time", "--days") / DAY
    if not 0 < days < 10**5:
        raise FormatError(f"--days: expected a number of days above 0 and below 100,000, got {text}")
    return days
