"""``tianji predict --from-megatron``: what a launch script will do, and how far it is from the best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tianji.errors import InputError

if TYPE_CHECKING:
    from tianji.cli.outputs import Outputs
    from tianji.reliability import Reliability
    from tianji.report.documents.prediction import LaunchDocument
    from tianji.result import Result

USUAL_POOLS = {"megatron": "hgx-h100", "mindspeed": "atlas-900-a2"}
"""What is assumed where no pool is named: eight chips a node, scale-out between nodes."""


def predict_launch(
    path: str, pool: str | None, changes: dict[str, Any], options: dict[str, Any], reliability: Reliability, outputs: Outputs,
) -> None:  # fmt: skip
    """Print the prediction of a launch script beside the best plan of the same job on the same chips.

    Raises InputError for a script that cannot be read, and what :func:`tianji.predict` raises.
    """
    from dataclasses import replace

    from tianji.catalog import load_calibration, load_pool
    from tianji.export.launch_reader.launches import read_launch
    from tianji.parallel.layouts import complete_layout
    from tianji.parallel.plan import Plan
    from tianji.prediction import predict
    from tianji.report.documents.prediction import prediction_document
    from tianji.units import parse_count

    chips = None if options["chips"] is None else parse_count(options["chips"], "--chips")
    launch = read_launch(path, chips)
    assumed = list(launch.assumed)
    if pool is None:
        pool = USUAL_POOLS[launch.framework]
        assumed.insert(
            0, f"pool {pool}: the script does not say what it runs on; name one as in `--from-megatron {path} POOL`"
        )
    machine = load_pool(pool, launch.chips)
    if launch.node and launch.node != min(machine.node, launch.chips):
        assumed.append(f"the script starts {launch.node} processes on a node, the pool has {machine.node} chips there")
    strategy = launch.strategy
    if changes:
        kept = {k: v for k, v in strategy.as_dict().items() if k not in changes and k != "dp"}
        strategy = complete_layout({**kept, **changes}, launch.chips)
    job = replace(launch.job, assumed=tuple(assumed))
    calibration = load_calibration(options["calibration"])
    result = predict(Plan(job, machine, strategy), calibration)
    best = _find_best(result, calibration)
    read: LaunchDocument = {"engine": launch.framework, "ignored": list(launch.ignored)}
    outputs.present(prediction_document(result, calibration, reliability, read, best))
    if launch.ignored:
        click.echo(f"tianji: note: ignored, as they are not priced: {' '.join(launch.ignored)}", err=True)


def _find_best(result: Result, calibration: Any) -> Result | str:
    """Return the fastest plan of the same job on the same chips, or why there is none."""
    from tianji.search import plan

    try:
        return plan(result.plan.job, result.plan.pool, calibration, top=1).results[0]
    except InputError as error:
        return str(error)
