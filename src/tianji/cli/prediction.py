"""``tianji predict``: one plan, each second of it accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tianji.cli.options import format_options, job_options, loss_options, strategy_options
from tianji.cli.outputs import answering

if TYPE_CHECKING:
    from tianji.api.answer import Answer


@click.command("predict")
@click.argument("model_or_plan", required=False)
@click.argument("pool", required=False)
@click.option(
    "--from-megatron", metavar="FILE",
    help="Read a launch script of Megatron or MindSpeed, and say how far it is from the best; name the POOL beside it.",
)  # fmt: skip
@strategy_options
@job_options
@format_options
@loss_options
@answering
def predict_command(
    model_or_plan: str | None, pool: str | None, from_megatron: str | None, **options: Any
) -> Answer[Any]:
    r"""Predict one plan: step time, memory and where they go.

    Takes either a plan file, as `tianji plan --out` writes it, or a MODEL and a POOL with a strategy. Strategy options
    beside a plan file change its strategy; data-parallel ranks take the chips that the other degrees leave.

    \b
    Examples:
      tianji predict llama-3.1-70b hgx-h100 --chips 64 --tp 8 --pp 2
      tianji predict plan.json
      tianji predict plan.json --micro-batch-size 2 --recompute full
      tianji predict plan.json --html prediction.html
      tianji predict --from-megatron launch.sh hgx-h100
    """
    from tianji.api.predicting import predict
    from tianji.errors import FormatError

    if from_megatron is not None:
        if pool is not None:
            raise FormatError("--from-megatron brings its own model: name only the POOL beside it")
        model_or_plan, pool = None, model_or_plan
    elif model_or_plan is None:
        raise click.MissingParameter(param_hint="MODEL_OR_PLAN", param_type="argument")
    return predict(model_or_plan, pool, from_megatron=from_megatron, **options)
