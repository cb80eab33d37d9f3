"""``tianji size``: how large a pool must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tianji.cli.outputs import answering
from tianji.cli.pool_options import with_pool_options

if TYPE_CHECKING:
    from tianji.api.answer import Answer


@click.command("size")
@click.argument("model")
@click.argument("pool")
@click.option("--days", required=True, metavar="DAYS", help="Days that the run may take, failures included.")
@click.option("--budget", metavar="USD", help="Dollars that the run may cost.")
@with_pool_options
@answering
def size_command(model: str, pool: str, **options: Any) -> Answer[Any]:
    r"""Say how many chips of POOL train MODEL on so many tokens in time; and what binds when it cannot be done.

    \b
    Examples:
      tianji size llama-3.1-405b hgx-h100 --tokens 15T --days 60
      tianji size llama-3.1-8b hgx-h100 --tokens 1T --days 30 --html size.html
      tianji size deepseek-v3 cloudmatrix384 --tokens 14.8T --days 90 --budget 20000000
    """
    from tianji.api.comparing import size

    return size(model, pool, **options)
