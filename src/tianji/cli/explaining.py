"""``tianji explain``: a measured result beside its prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tianji.cli.options import calibration_option
from tianji.cli.outputs import answering

if TYPE_CHECKING:
    from tianji.api.answer import Answer


@click.command("explain")
@click.argument("result", metavar="RESULT")
@click.option("--plan", metavar="PLAN.json", help="Predict this plan.  [default: the plan that was run]")
@calibration_option
@answering
def explain_command(result: str, plan: str | None, calibration: str) -> Answer[Any]:
    r"""Put a measured result beside its prediction, term by term, and say what the gap is made of.

    RESULT is a result.json of `tianji run`, or its folder.

    \b
    Examples:
      tianji explain out
      tianji explain out/result.json --plan other.json --json
    """
    from tianji.api.running import explain

    return explain(result, plan=plan, calibration=calibration)
