"""``tianji predict --from-megatron``: what a launch script will do, and how far it is from the best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tianji.cli.output import make_console, print_json
from tianji.errors import InputError

if TYPE_CHECKING:
    from tianji.cli.reports import Reports
    from tianji.export.launch_reader.launches import Launch
    from tianji.reliability import Reliability
    from tianji.result import Result

USUAL_POOLS = {"megatron": "hgx-h100", "mindspeed": "atlas-900-a2"}
"""What is assumed where no pool is named: eight chips a node, scale-out between nodes."""
SAME = 5e-4
"""Share of the best step time by which another is no slower."""


def predict_launch(
    path: str, pool: str | None, changes: dict[str, Any], options: dict[str, Any], reliability: Reliability, reports: Reports,
    as_json: bool,
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
    from tianji.report.documents import prediction_document
    from tianji.units import parse_count

    chips = None if options["chips"] is None else parse_count(options["chips"], "--chips")
    launch = read_launch(path, chips)
    told = list(launch.assumed)
    if pool is None:
        pool = USUAL_POOLS[launch.framework]
        told.insert(
            0, f"pool {pool}: the script does not say what it runs on; name one as in `--from-megatron {path} POOL`"
        )
    found = load_pool(pool, launch.chips)
    if launch.node and launch.node != min(found.node, launch.chips):
        told.append(f"the script starts {launch.node} processes on a node, the pool has {found.node} chips there")
    strategy = launch.strategy
    if changes:
        kept = {k: v for k, v in strategy.as_dict().items() if k not in changes and k != "dp"}
        strategy = complete_layout({**kept, **changes}, launch.chips)
    job = replace(launch.job, assumed=tuple(told))
    calibration = load_calibration(options["calibration"])
    result = predict(Plan(job, found, strategy), calibration)
    best = _find_best(result, calibration)
    document = {**prediction_document(result, calibration, reliability), **_beside_best(launch, told, result, best)}
    reports.write(document, "predict")
    if as_json:
        print_json(document)
        return
    _print_tables(launch, result, best, calibration, reliability)


def _find_best(result: Result, calibration: Any) -> Result | str:
    """Return the fastest plan of the same job on the same chips, or why there is none."""
    from tianji.search import plan

    try:
        return plan(result.plan.job, result.plan.pool, calibration, top=1).results[0]
    except InputError as error:
        return str(error)


def _beside_best(launch: Launch, told: list[str], result: Result, best: Result | str) -> dict[str, Any]:
    """Return the keys of a document that a launch script adds: what was read, and how far it is from the best."""
    from tianji.parallel.layouts import spell_layout

    document: dict[str, Any] = {
        "launch": {"engine": launch.framework, "assumed": told, "ignored": list(launch.ignored)}
    }
    if isinstance(best, str):
        document["best"] = {"reason": best}
    else:
        document["best"] = {
            "layout": spell_layout(best.plan.strategy),
            "strategy": best.plan.strategy.as_dict(),
            "step_time": best.step_time.nominal,
            "slower_by": result.step_time.nominal / best.step_time.nominal - 1.0,
        }
    return document


def _print_tables(
    launch: Launch, result: Result, best: Result | str, calibration: Any, reliability: Reliability
) -> None:
    from tianji.parallel.layouts import abbreviate_layout
    from tianji.report.headline import print_headline
    from tianji.report.result_tables import print_result

    console = make_console()
    print_headline(console, result.plan.job, result.plan.pool, calibration)
    console.print()
    print_result(console, result, reliability)
    console.print()
    if isinstance(best, str):
        console.print(f"Best     none to compare with: {best}", markup=False)
    else:
        slower = result.step_time.nominal / best.step_time.nominal - 1.0
        layout = abbreviate_layout(best.plan.strategy)
        pace = (
            f"takes {slower:.1%} longer"
            if slower > SAME
            else "is as fast"
            if slower > -SAME
            else f"is {-slower:.1%} faster"
        )
        how = f"the script {pace}" if result.fits else f"the script {pace}, and its plan does not fit the memory"
        console.print(f"Best     {layout}: {best.step_time.nominal:.4g} s a step; {how}", markup=False)
    if launch.ignored:
        click.echo(f"tianji: note: ignored, as they are not priced: {' '.join(launch.ignored)}", err=True)
