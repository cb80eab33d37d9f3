"""``tianji explain``: a measured result beside its prediction."""

from __future__ import annotations

import click

from tianji.cli.options import calibration_option, json_option
from tianji.cli.output import make_console, print_json


@click.command("explain")
@click.argument("result", metavar="RESULT")
@click.option("--plan", "plan_path", metavar="PLAN.json", help="Predict this plan.  [default: the plan that was run]")
@calibration_option
@json_option
def explain_command(result: str, plan_path: str | None, calibration: str, as_json: bool) -> None:
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
    from tianji.report.explanation_tables import explanation_document, print_explanation
    from tianji.result import read_result

    measured = read_result(result)
    plan = read_plan(plan_path) if plan_path else measured.plan
    found = explain_gap(measured, predict(plan, load_calibration(calibration)))
    if as_json:
        print_json(explanation_document(found))
    else:
        print_explanation(make_console(), found)
