"""``tianji compare``: the best plan on each pool, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tianji.cli.outputs import answering
from tianji.cli.pool_options import with_pool_options

if TYPE_CHECKING:
    from tianji.api.answer import Answer


@click.command("compare")
@click.argument("model")
@click.argument("pools", nargs=-1, required=True, metavar="POOL POOL...")
@with_pool_options
@answering
def compare_command(model: str, pools: tuple[str, ...], **options: Any) -> Answer[Any]:
    r"""Set the best plan on each POOL side by side, for the same work.

    A pool is a name of the catalog or a TOML file; 1024xhgx-h100 says how many chips, hgx-h800@fp8 its own number formats.
    64xhgx-a100+64xhgx-h100 is a mixture of unlike chips that train together (also a file: `tianji browse mixtures`). Each
    figure has a low, a nominal and a high case. There is no verdict where ranges overlap.

    \b
    Examples:
      tianji compare deepseek-v3 2048xhgx-h100 1536xcloudmatrix384
      tianji compare llama-3.1-70b 64xhgx-h100 64xatlas-900-a2 --html compare.html
      tianji compare llama-3.1-405b 1024xhgx-h100 512xgb200-nvl72 --tokens 15T
      tianji compare llama-3.1-8b 64xhgx-h100 128xatlas-900-a2 --batch 768,1024,3072
      tianji compare llama-3.1-8b 16xhgx-h100 8xhgx-a100+8xhgx-h100 --batch 64
      tianji compare deepseek-v3 2048xhgx-h800@fp8 768xcloudmatrix384 --site china --rent h800=2
    """
    from tianji.api.comparing import compare

    return compare(model, *pools, **options)
