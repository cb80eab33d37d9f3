"""``tianji plan``: the best strategies of a job on a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tianji.cli.options import (
    format_options,
    job_options,
    loss_options,
    software_options,
    task_options,
    workers_option,
)
from tianji.cli.outputs import answering
from tianji.cli.pool_options import POWER, RENT
from tianji.parallel.strategy import VARIED

if TYPE_CHECKING:
    from tianji.api.answer import Answer


@click.command("plan")
@click.argument("model")
@click.argument("pool")
@job_options
@format_options
@task_options
@click.option(
    "--objective",
    type=click.Choice(("time", "cost", "energy")),
    default="time",
    show_default=True,
    help="Fastest plan; or the number of chips, up to the pool's, with the least cost or energy of a useful token.",
)
@click.option(
    "--fix", multiple=True, metavar="FIELD=VALUE", help="Hold a strategy field, like tp=8; repeat or join by commas."
)
@click.option("--vary", multiple=True, type=click.Choice(VARIED), help="Try a switch on and off; repeat for more.")
@click.option(
    "--runs-on", "runs_on", metavar="FRAMEWORK",
    help="Only plans that this framework runs exactly: megatron, mindspeed, nemo, torchtitan, mindformers, deepspeed, "
    "llama-factory, swift, megatron-swift or tianji.",
)  # fmt: skip
@click.option(
    "--margin", metavar="SHARE",
    help="Share of the usable memory that a plan leaves free, like 5%.  [default: 3%; none where no plan can]",
)  # fmt: skip
@click.option("--top", default="5", show_default=True, metavar="K", help="How many plans to show.")
@click.option("--explain", metavar="LAYOUT", help="Set a layout like tp=8,pp=4 against the best, term by term.")
@RENT
@POWER
@loss_options
@software_options
@click.option("--out", metavar="FILE", help="Write the best plan as a file for `tianji predict`.")
@workers_option
@answering
def plan_command(model: str, pool: str, **options: Any) -> Answer[Any]:
    r"""Find the best way to cut MODEL over POOL.

    MODEL is a name of the catalog or the path of a config.json, POOL a name or the path of a TOML file, or unlike chips in a
    sum like 64xhgx-a100+64xhgx-h100. Every legal strategy is priced; the fastest that fit are shown, with where the time and the
    memory go.

    \b
    Examples:
      tianji plan deepseek-v3 cloudmatrix384 --tokens 14.8T
      tianji plan ./config.json hgx-h100 --chips 2048 --batch 2048 --seq 8192
      tianji plan llama-3.1-405b hgx-h100 --chips 1024 --fix tp=8,zero=1 --top 10
      tianji plan llama-3.1-70b hgx-h100 --chips 64 --explain tp=8,pp=2
      tianji plan llama-3.1-70b hgx-h100 --chips 64 --batch 512,1024,2048
      tianji plan llama-3.1-70b hgx-h100 --chips 64 --html plan.html --plots plots --csv tables
      tianji plan deepseek-v3 cloudmatrix384 --chips 1536 --loss replica
      tianji plan deepseek-v3 atlas-900-a3-dies --runs-on mindspeed --out plan.json
      tianji plan llama-3.1-8b a100-h100        (a mixture of unlike chips)
    """
    from tianji.api.planning import plan

    return plan(model, pool, **options)
