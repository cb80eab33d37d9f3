"""``predict`` with ``from_megatron``: what a launch script will do, and how far it is from the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tianji.api.answer import Answer
from tianji.api.quantities import Count
from tianji.api.requests import File, PoolLike, find_pool
from tianji.errors import InputError
from tianji.exporters.launch_reader.launches import Launch, read_launch
from tianji.formatting import format_duration
from tianji.hardware.calibration import Calibration
from tianji.parallel.layouts import complete_layout
from tianji.parallel.plan import Plan
from tianji.prediction import predict
from tianji.reliability import Reliability
from tianji.report.documents.prediction import LaunchDocument, prediction_document
from tianji.result import Result
from tianji.search import plan
from tianji.units import parse_count

USUAL_POOLS = {"megatron": "hgx-h100", "mindspeed": "atlas-900-a2"}
"""What is assumed where no pool is named: eight chips a node, scale-out between nodes."""


@dataclass(frozen=True, slots=True)
class LaunchPrediction:
    """A launch script with its prediction and the best plan of the same job on the same chips."""

    launch: Launch
    result: Result
    best: Result | str
    """Or why there is none."""
    calibration: Calibration


def predict_launch(
    path: File, pool: PoolLike | None, changes: Mapping[str, Any], chips: Count | None, calibration: Calibration
) -> LaunchPrediction:
    """Return the prediction of a launch script beside the best plan of the same job on the same chips.

    Raises InputError for a script that cannot be read, and what :func:`tianji.prediction.predict` raises.
    """
    launch = read_launch(path, None if chips is None else parse_count(chips, "--chips"))
    assumed = list(launch.assumed)
    if pool is None:
        pool = USUAL_POOLS[launch.framework]
        assumed.insert(
            0, f"pool {pool}: the script does not say what it runs on; name one as in `--from-megatron {path} POOL`"
        )
    place = find_pool(pool, launch.chips)
    if launch.node and launch.node != min(place.node, launch.chips):
        assumed.append(f"the script starts {launch.node} processes on a node, the pool has {place.node} chips there")
    strategy = launch.strategy
    if changes:
        kept = {k: v for k, v in strategy.as_dict().items() if k not in changes and k != "dp"}
        strategy = complete_layout({**kept, **changes}, launch.chips)
    job = replace(launch.job, assumed=tuple(assumed))
    result = predict(Plan(job, place, strategy), calibration)
    return LaunchPrediction(launch, result, _find_best(result, calibration), calibration)


def _find_best(result: Result, calibration: Calibration) -> Result | str:
    """Return the fastest plan of the same job on the same chips, or why there is none."""
    try:
        return plan(result.plan.job, result.plan.pool, calibration, top=1).best
    except InputError as error:
        return str(error)


def answer_launch(prediction: LaunchPrediction, reliability: Reliability) -> Answer[Result]:
    """Return the answer on a launch script: its prediction, and how far that is from the best."""
    launch, result, best = prediction.launch, prediction.result, prediction.best
    pace = (
        best if isinstance(best, str) else f"{result.step_time.nominal / best.step_time.nominal - 1:+.1%} to the best"
    )
    summary = (
        f"prediction for a launch script of {launch.framework}, {result.plan.job.model.name} on {launch.chips:,} chips:"
        f" {format_duration(result.step_time.nominal)} a step, {pace}"
    )
    read: LaunchDocument = {"engine": launch.framework, "ignored": list(launch.ignored)}
    make_document = partial(prediction_document, result, prediction.calibration, reliability, read, best)
    notes = (f"ignored, as they are not priced: {' '.join(launch.ignored)}",) if launch.ignored else ()
    return Answer(result, summary, make_document, prediction.calibration, notes=notes)
