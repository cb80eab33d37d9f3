"""``tianji replace``: how many chips of one pool replace another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tianji.cli.options import workers_option
from tianji.cli.outputs import answering
from tianji.cli.pool_options import with_two_pool_options

if TYPE_CHECKING:
    from tianji.api.answer import Answer

MATCHES = ("throughput", "cost", "power", "deadline")


@click.command("replace")
@click.argument("model")
@click.option("--from", "from_", required=True, metavar="POOL", help="The pool to replace, like 1024xhgx-h100.")
@click.option(
    "--with", "with_", required=True, metavar="POOL", help="The pool that replaces it; its size is the answer."
)
@click.option(
    "--match",
    type=click.Choice(MATCHES),
    default="throughput",
    show_default=True,
    help="What both pools shall have equal.",
)
@click.option("--days", metavar="DAYS", help="Deadline of --match deadline.  [default: the days of the first pool]")
@click.option("--points", default="12", show_default=True, metavar="N", help="Sizes that draw each curve.")
@workers_option
@with_two_pool_options
@answering
def replace_command(model: str, from_: str, with_: str, **options: Any) -> Answer[Any]:
    r"""Say how many chips of one pool replace another pool for MODEL.

    Throughput means useful tokens, after failures. Every size has its own best strategy; the answer comes with its range, the
    curves of both pools with their knees, and the assumptions that would flip it. --from and --with take a mixture
    of unlike chips, too; one that replaces grows its parts alike.

    \b
    Examples:
      tianji replace deepseek-v3 --from 1024xhgx-h100 --with cloudmatrix384
      tianji replace llama-3.1-405b --from 1024xhgx-h100 --with atlas-950-superpod --match power
      tianji replace llama-3.1-8b --from 64xhgx-h100 --with atlas-900-a2 --html replace.html
      tianji replace llama-3.1-70b --from 512xhgx-h100 --with atlas-900-a2 --match deadline --tokens 15T --days 90
    """
    from tianji.api.comparing import replace

    return replace(model, from_, with_, **options)
