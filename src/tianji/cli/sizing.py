"""``tianji size``: how large a pool must be."""

from __future__ import annotations

from typing import Any

import click

from tianji.cli.outputs import Outputs, output_options
from tianji.cli.pool_options import read_assumptions, read_cases, read_money, split, with_pool_options
from tianji.cli.replacement import read_days


@click.command("size")
@click.argument("model")
@click.argument("pool")
@click.option("--days", required=True, metavar="DAYS", help="Days that the run may take, failures included.")
@click.option("--budget", metavar="USD", help="Dollars that the run may cost.")
@with_pool_options
@output_options
def size_command(
    model: str,
    pool: str,
    days: str,
    budget: str | None,
    calibration: str,
    outputs: Outputs,
    **options: Any,
) -> None:
    r"""Say how many chips of POOL train MODEL on so many tokens in time; and what binds when it cannot be done.

    \b
    Examples:
      tianji size llama-3.1-405b hgx-h100 --tokens 15T --days 60
      tianji size llama-3.1-8b hgx-h100 --tokens 1T --days 30 --html size.html
      tianji size deepseek-v3 cloudmatrix384 --tokens 14.8T --days 90 --budget 20000000
    """
    from tianji.catalog import load_calibration
    from tianji.cli.allocation import keep_freed_memory
    from tianji.comparison import size_pool
    from tianji.report.documents.comparison import sizing_document

    keep_freed_memory()
    work, money = split(options)
    ((job, found),) = read_cases(model, (pool,), **work)
    given, corrections = read_assumptions(**money), load_calibration(calibration)
    limit = None if budget is None else read_money(budget, "--budget")
    answer = size_pool(job, found, corrections, read_days(days), given, budget=limit)
    outputs.present(sizing_document(answer, corrections))
