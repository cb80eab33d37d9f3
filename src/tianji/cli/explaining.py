"""``tianji explain``: a measured result beside its prediction."""

from __future__ import annotations

import click

from tianji.cli.options import calibration_option
from tianji.cli.outputs import Outputs, output_options


@click.command("explain")
@click.argument("result", metavar="RESULT")
@click.option("--plan", "plan_path", metavar="PLAN.json", help="Predict this plan.  [default: the plan that was run]")
@calibration_option
@output_options
def explain_command(result: str, plan_path: str | None, calibration: str, outputs: Outputs) -> None:
    r"""Put a measured result beside its prediction, term by term, and say what the gap is made of.

    RESULT is a result.json of `tianji run`, or its folder.

    \b
    Examples:
      tianji explain out
      tianji explain out/result.json --plan other.json --json
    """
    from tianji.backends.explanation import explain_gap
    from tianji.catalog import load_calibration
    from tianji.parallel.plan_file import read_plan
    from tianji.prediction import predict
    from tianji.report.documents.explanation import explanation_document
    from tianji.result import read_result

    measured = read_result(result)
    plan = read_plan(plan_path) if plan_path else measured.plan
    outputs.present(explanation_document(explain_gap(measured, predict(plan, load_calibration(calibration)))))
