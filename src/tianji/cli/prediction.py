"""``tianji predict``: one plan, each second of it accounted for."""

from __future__ import annotations

from typing import Any

import click

from tianji.cli.options import (
    drop_strategy_options,
    job_options,
    loss_options,
    read_loss,
    read_request,
    read_strategy_options,
    strategy_options,
)
from tianji.cli.outputs import Outputs, output_options
from tianji.errors import FormatError


@click.command("predict")
@click.argument("model_or_plan", required=False)
@click.argument("pool", required=False)
@click.option(
    "--from-megatron", "script", metavar="FILE",
    help="Read a launch script of Megatron or MindSpeed, and say how far it is from the best; name the POOL beside it.",
)  # fmt: skip
@strategy_options
@job_options
@loss_options
@output_options
def predict_command(
    model_or_plan: str | None, pool: str | None, script: str | None, loss: str, replica_chips: str | None, outputs: Outputs,
    **options: Any,
) -> None:  # fmt: skip
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
    from tianji.prediction import predict

    reliability = read_loss(loss, replica_chips)
    if script is not None:
        from tianji.cli.launch import predict_launch

        if pool is not None:
            raise FormatError("--from-megatron brings its own model: name only the POOL beside it")
        others = drop_strategy_options(options)
        _refuse_job_options({k: v for k, v in others.items() if k != "chips"})
        predict_launch(script, model_or_plan, read_strategy_options(options), others, reliability, outputs)
        return
    if model_or_plan is None:
        raise click.MissingParameter(param_hint="MODEL_OR_PLAN", param_type="argument")
    plan, calibration = find_plan(model_or_plan, pool, options)
    result = predict(plan, calibration)
    from tianji.report.documents.prediction import prediction_document

    outputs.present(prediction_document(result, calibration, reliability))


def find_plan(model_or_plan: str, pool: str | None, options: dict[str, Any]) -> tuple[Any, Any]:
    """Return the plan and the calibration that a plan file, or a model and a pool, and the options of the job stand for.

    Raises InputError for anything in them that cannot be used.
    """
    from tianji.catalog import load_calibration

    strategy, others = read_strategy_options(options), drop_strategy_options(options)
    if pool is not None:
        return _make_plan(model_or_plan, pool, strategy, others)
    _refuse_job_options(others)
    return _read_changed(model_or_plan, strategy), load_calibration(others["calibration"])


def _make_plan(model: str, pool: str, strategy: dict[str, Any], options: dict[str, Any]) -> tuple[Any, Any]:
    from tianji.parallel.layouts import complete_layout
    from tianji.parallel.plan import Plan

    request = read_request(model, pool, **options)
    layout = complete_layout(strategy, request.pool.chips)
    return Plan(request.job, request.pool, layout), request.calibration


def _read_changed(path: str, changes: dict[str, Any]) -> Any:
    """Return the plan of a file with some strategy fields changed."""
    from dataclasses import replace

    from tianji.catalog import list_models
    from tianji.parallel.layouts import complete_layout
    from tianji.parallel.plan_file import read_plan

    if path in list_models():
        command = click.get_current_context().info_name
        raise FormatError(f"{path} is a model, and a model needs a pool: tianji {command} {path} POOL --tp 8 ...")
    plan = read_plan(path)
    if not changes:
        return plan
    kept = {k: v for k, v in plan.strategy.as_dict().items() if k not in changes}
    if "dp" not in changes and {"tp", "pp", "cp"} & changes.keys():
        kept.pop("dp")
    if "vpp" in changes and "schedule" not in changes:
        kept.pop("schedule")
    return replace(plan, strategy=complete_layout({**kept, **changes}, plan.strategy.chips))


def _refuse_job_options(options: dict[str, Any]) -> None:
    context = click.get_current_context()
    for name in options:
        source = context.get_parameter_source(name)
        if name != "calibration" and source is click.core.ParameterSource.COMMANDLINE:
            flag = "--" + name.replace("_", "-")
            raise FormatError(
                f"{flag} cannot change a plan file, which holds its own job and pool; name a MODEL and a POOL, or make"
                f" another plan with `tianji plan ... {flag} ... --out FILE`"
            )
