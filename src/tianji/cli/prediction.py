"""``tianji predict``: one plan, each second of it accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tianji.cli.options import (
    format_options,
    job_options,
    loss_options,
    software_options,
    strategy_options,
    task_options,
)
from tianji.cli.outputs import answering

if TYPE_CHECKING:
    from tianji.api.answer import Answer


class WithArguments(click.Command):
    """A command that keeps the words behind ``--`` for the script that it reads."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words behind ``--`` away before the command's own are read."""
        at = args.index("--") if "--" in args else len(args)
        rest = super().parse_args(ctx, args[:at])
        if ctx.params["arguments"]:
            ctx.fail(f"Got unexpected extra argument ({ctx.params['arguments'][0]})")
        ctx.params["arguments"] = tuple(args[at + 1 :])
        return rest


@click.command("predict", cls=WithArguments)
@click.argument("model_or_plan", required=False)
@click.argument("pool", required=False)
@click.argument("arguments", nargs=-1, metavar="[-- ARGUMENTS]")
@click.option(
    "--from", "--from-megatron", "from_", metavar="FILE",
    help="Read what you launch with: a script or a configuration of any stack. Name the POOL beside it, and behind -- the "
    "script's own arguments.",
)  # fmt: skip
@click.option(
    "--set", "set_", multiple=True, metavar="NAME=VALUE",
    help="With --from: a variable of the script, or a key of the configuration; repeat for more.",
)  # fmt: skip
@click.option("--explain", is_flag=True, help="With --from: set it against the best plan, term by term.")
@click.option("--out", metavar="FILE", help="With --from: write it as a plan, for `tianji export` to any other stack.")
@click.option(
    "--measured", metavar="TIME",
    help="A measured step time, like 12.1s: says whether it is in the range, what may make the gap, and which single change "
    "gains most.",
)  # fmt: skip
@strategy_options
@job_options
@format_options
@task_options
@loss_options
@software_options
@answering
def predict_command(model_or_plan: str | None, pool: str | None, from_: str | None, **options: Any) -> Answer[Any]:
    r"""Predict one plan: step time, memory and where they go.

    Takes either a plan file, as `tianji plan --out` writes it, or a MODEL and a POOL with a strategy. Strategy options
    beside a plan file change its strategy; data-parallel ranks take the chips that the other degrees leave.

    \b
    Examples:
      tianji predict llama-3.1-70b hgx-h100 --chips 64 --tp 8 --pp 2
      tianji predict plan.json
      tianji predict plan.json --micro-batch-size 2 --recompute full
      tianji predict plan.json --html prediction.html
      tianji predict plan.json --measured 12.1s
      tianji predict --from launch.sh hgx-h100
      tianji predict --from run.sh hgx-h100 --set NNODES=4 -- 8B 1 256
      tianji predict --from qwen3_full_sft.yaml hgx-h200 --chips 8 --out plan.json
    """
    from tianji.api.predicting import predict
    from tianji.errors import FormatError

    if from_ is not None:
        if pool is not None:
            raise FormatError("--from brings its own model: name only the POOL beside it")
        model_or_plan, pool = None, model_or_plan
    elif model_or_plan is None:
        raise click.MissingParameter(param_hint="MODEL_OR_PLAN", param_type="argument")
    return predict(model_or_plan, pool, from_=from_, **options)
