"""``tianji goodput``: how much of a plan's time lasts, where the rest goes, and what each remedy is worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tianji.cli.options import add_options, job_options, loss_options, strategy_options
from tianji.cli.outputs import answering

if TYPE_CHECKING:
    from tianji.api.answer import Answer

F = TypeVar("F", bound=Callable[..., Any])

reliability_options = add_options(
    click.option("--failures", metavar="NAME|FILE",
                 help="Failure profile: a name of the catalog or a TOML file.  [default: that of the chip]"),
    loss_options,
    click.option("--recovery", default="job", show_default=True, metavar="RUNG",
                 help="Fastest rung of the recovery ladder: in-process, process, pod or job."),
    click.option("--replacement", default="spare", show_default=True, metavar="spare|shrink",
                 help="A spare takes a failed node's place, or its replica is missing until the repair."),
    click.option("--store", multiple=True, metavar="local|peer",
                 help="Keep checkpoints also in the own host's or in another node's memory; may be given twice."),
    click.option("--asynchronous/--no-asynchronous", default=True, show_default=True,
                 help="Write checkpoints to storage while training goes on."),
    click.option("--interval", metavar="TIME", help='Time between checkpoints to storage, like "30 min".  [default: the best]'),
    click.option("--save-time", metavar="TIME", help="How long one checkpoint stops the training.  [default: by its size]"),
    click.option("--recovery-time", metavar="TIME",
                 help="Time from a failure until training goes on, all in.  [default: the profile's]"),
    click.option("--storage-bandwidth", metavar="RATE",
                 help='Bandwidth of the whole job to storage, like "200 GB/s".  [default: the profile\'s]'),
    click.option("--repair-time", metavar="TIME", help="Time until a failed node is back.  [default: the profile's]"),
    click.option("--spares", metavar="N", help="Nodes that stand by.  [default: as many as suffice]"),
    click.option("--confidence", default="0.99", show_default=True, metavar="SHARE",
                 help="Probability with which the spares must suffice."),
    click.option("--straggle", metavar="SHARE", help="Share of time lost to slow chips.  [default: the profile's]"),
    click.option("--corruption/--no-corruption", default=True, show_default=True,
                 help="Count silent corruption that nobody notices at once."),
    click.option("--shape", default="1", show_default=True, metavar="X",
                 help="Weibull shape of the time between failures; below 1 they come in clusters."),
    click.option("--recovery-spread", default="0", show_default=True, metavar="X",
                 help="Log-normal scatter of a recovery's length; 0 is none."),
    click.option("--horizon", default="30 d", show_default=True, metavar="TIME", help="Length of the run."),
    click.option("--method", default="auto", show_default=True, metavar="auto|closed|montecarlo",
                 help="Formulas, sampled runs, or whichever holds."),
    click.option("--runs", default="1000", show_default=True, metavar="N", help="Runs to sample."),
    click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the sampled runs."),
    click.option("--price", metavar="USD", help='Price of one chip-hour, like "2 USD": says what each remedy is worth in money.'),
)  # fmt: skip
"""Adds the options of a run under failures."""


@click.command("goodput")
@click.argument("model_or_plan")
@click.argument("pool", required=False)
@reliability_options
@strategy_options
@job_options
@answering
def goodput_command(model_or_plan: str, pool: str | None, **options: Any) -> Answer[Any]:
    r"""Say how much of a plan's time becomes lasting progress, and where the rest goes.

    Takes a plan file or a MODEL and a POOL with a strategy, as `tianji predict` does, or a mixture of unlike chips. Failure
    rates, recovery times and bandwidths come from a failure profile with sources; the range is that of the rates.

    \b
    Examples:
      tianji goodput plan.json
      tianji goodput llama-3.1-405b hgx-h100 --chips 16384 --tp 8 --pp 16 --zero 2 --price "2 USD"
      tianji goodput plan.json --html goodput.html
      tianji goodput plan.json --recovery process --store peer --save-time "1 s"
      tianji goodput plan.json --loss replica --replica-chips 8192
      tianji goodput plan.json --recovery-spread 2.2 --method montecarlo --runs 10000
    """
    from tianji.api.failures import goodput

    return goodput(model_or_plan, pool, **options)
