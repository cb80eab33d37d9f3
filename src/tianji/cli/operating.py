"""``tianji operate``: keep a job going while chips die."""

from __future__ import annotations

import sys
from typing import Any

import click

from tianji.cli.operation_parts import PARTS
from tianji.cli.options import job_options, strategy_options
from tianji.cli.outputs import Outputs, output_options
from tianji.errors import RunError

ITSELF = "run"
"""May stand before the arguments of the command itself."""


class OperateCommand(click.Command):
    """Operates a job; where the first word names a part, as ``status`` does, that part is the command.

    The word ``run`` says that the job itself is meant.
    """

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Return the context of the command or of its part."""
        if args and args[0] in PARTS:
            return PARTS[args[0]].make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        if args and args[0] == ITSELF:
            return super().make_context(f"{info_name} {ITSELF}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    @property
    def commands(self) -> dict[str, click.Command]:
        """The parts, as a group has them."""
        return PARTS


@click.command("operate", cls=OperateCommand)
@click.argument("model_or_plan", required=False)
@click.argument("pool", required=False)
@strategy_options
@job_options
@click.option("--steps", default=100, show_default=True, metavar="N", help="Optimizer steps of the whole job.")
@click.option("--node", metavar="N", help="Chips of one node, each with an agent.  [default: the pool's own]")
@click.option("--spares", default=0, show_default=True, metavar="N", help="Nodes that stand by until one fails.")
@click.option(
    "--checkpoint-every",
    default=0,
    show_default=True,
    metavar="N",
    help="Steps between checkpoints; 0: as the reliability model recommends.",
)
@click.option(
    "--mtbf", metavar="TIME", help='Expected time between failures of the job, like "6 h".  [default: by the profile]'
)
@click.option("--save-time", metavar="TIME", help="How long one checkpoint stops the training.  [default: by its size]")
@click.option(
    "--repair-time",
    default="10 min",
    show_default=True,
    metavar="TIME",
    help="How long a chip or node is left out after its failure.",
)
@click.option(
    "--hang-time",
    default="10 s",
    show_default=True,
    metavar="TIME",
    help="A worker or an agent without a sign of life for this long has failed.",
)
@click.option(
    "--data", default="", metavar="PATH", help="A text, or token numbers.  [default: a short text that ships]"
)
@click.option("--optimizer", default="adamw", show_default=True, metavar="adamw|sgd", help="What updates the weights.")
@click.option("--learning-rate", default=1e-3, show_default=True, metavar="X", help="Step size of the optimizer.")
@click.option(
    "--seed", default=0, show_default=True, metavar="N", help="Seed of the first weights, or of the simulation."
)
@click.option(
    "--engine",
    default="local",
    show_default=True,
    metavar="local|ray",
    help="Where the nodes are: all on this machine, or on the hosts of a Ray cluster.",
)
@click.option(
    "--out", default="operation", show_default=True, metavar="DIR", help="A new folder for all that is written."
)
@click.option(
    "--openmetrics",
    type=click.IntRange(0, 65_535),
    metavar="PORT",
    help="Answer http://127.0.0.1:PORT/metrics with OpenMetrics text; 0 takes any free port.",
)
@click.option("--resume", metavar="DIR", help="Go on with an operation that was stopped or cut off.")
@click.option(
    "--simulate", is_flag=True, help="Play the controller in the simulated pool of --seed, and print its events."
)
@output_options
def operate_command(model_or_plan: str | None, pool: str | None, outputs: Outputs, **options: Any) -> None:
    r"""Train a job and keep it going while its chips die.

    Takes a plan file, or a MODEL and a POOL, as `tianji predict` does. The job is planned anew for the chips that are left. A
    process or an agent that dies or hangs is noticed, what is left of the attempt is ended, a spare is taken or the job shrinks,
    and training goes on from the last complete checkpoint. Ctrl-C and SIGTERM have it save and end; --resume goes on.

    `tianji operate run` is the same command. For an operation in a folder: `tianji operate status`, `report`, `stop`,
    `cordon` and `uncordon`.

    \b
    Examples:
      tianji operate ./config.json hgx-h100 --chips 4 --node 2 --batch 8 --seq 32 --precision fp32 --steps 200
      tianji operate plan.json --spares 1 --out runs/long
      tianji operate plan.json --engine ray --out runs/ray
      tianji operate --resume runs/long
      tianji operate --simulate --seed 7
    """
    from tianji.api.operating import operate
    from tianji.operation.operating import OperationOutcome

    if model_or_plan is None and options["resume"] is None and not options["simulate"]:
        raise click.MissingParameter(param_hint="MODEL_OR_PLAN", param_type="argument")
    answer = operate(model_or_plan, pool, **options)
    outputs.present(answer)
    outcome = answer.result
    if not isinstance(outcome, OperationOutcome):
        return
    if outcome.state.value == "failed":
        raise RunError(f"given up: {outcome.reason}; the logs are in {outcome.folder}")
    if outcome.state.value == "stopped":
        click.echo(f"tianji: interrupted; go on with: tianji operate --resume {outcome.folder}", err=True)
        sys.exit(130 if outcome.reason == "SIGINT" else 143)
