"""``predict`` with ``from_``: what a launch will do, and how far it is from the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tianji.api.answer import Answer
from tianji.api.measured import explain_measured
from tianji.api.quantities import Count
from tianji.api.requests import File, PoolLike, find_pool
from tianji.api.software import NOTHING_SAID, SoftwareOptions, choose_software, find_layout_words
from tianji.api.software_rules import rule_out_overlap, weigh_allowed
from tianji.api.started_software import find_written, name_started
from tianji.errors import FormatError, IllegalStrategyError, InputError
from tianji.exporters.launch_reader.launches import Launch, read_launch
from tianji.formatting import format_duration
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.hardware.software import OFF
from tianji.parallel.layouts import complete_layout
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import write_plan
from tianji.prediction import predict
from tianji.prediction.balance import describe_balance
from tianji.reliability import Reliability
from tianji.report.documents.prediction import LaunchDocument, prediction_document
from tianji.result import Result
from tianji.search import plan
from tianji.search.options import MARGIN
from tianji.units import Seconds, parse_count
from tianji.validation.near_errors import NearErrors

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


@dataclass(frozen=True, slots=True)
class Outside:
    """What a launch takes from outside, and where it is written as a plan."""

    settings: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    out: File | None = None
    has_run: bool = False
    """A step of it was measured: it ran, whatever a table of rules says."""


def read_settings(settings: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """Return settings such as ``NNODES=4`` by name.

    >>> read_settings(["NNODES=4", "model=qwen3-8b"])
    {'NNODES': '4', 'model': 'qwen3-8b'}

    Raises FormatError for a text without a name or a sign of equality.
    """
    if isinstance(settings, Mapping):
        return {str(k): str(v) for k, v in settings.items()}
    found: dict[str, str] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        if not name.strip() or not equals:
            raise FormatError(f"--set {text[:60]}: expected NAME=VALUE; as in `--set NNODES=4`")
        found[name.strip()] = value
    return found


def predict_launch(
    path: File,
    pool: PoolLike | None,
    changes: Mapping[str, Any],
    chips: Count | None,
    calibration: Calibration,
    outside: Outside | None = None,
    asked: SoftwareOptions = NOTHING_SAID,
) -> LaunchPrediction:
    """Return the prediction of a launch beside the best plan of the same job on the same chips.

    Raises InputError for a launch that cannot be read, IllegalStrategyError for one at which its framework stops, and what
    :func:`tianji.prediction.predict` raises.
    """
    outside = outside or Outside()
    number = None if chips is None else parse_count(chips, "--chips")
    launch = read_launch(path, number, outside.settings, outside.arguments)
    if launch.stops and not outside.has_run:
        raise IllegalStrategyError(_describe_stops(path, launch))
    assumed = [*launch.broken, *launch.left_out, *launch.assumed]
    if pool is None:
        pool = USUAL_POOLS[launch.framework]
        assumed.insert(0, f"pool {pool}: the script does not say what it runs on; name one as in `--from {path} POOL`")
    place = find_pool(pool, launch.chips)
    if launch.node and launch.node != min(place.node, launch.chips):
        assumed.append(f"the script starts {launch.node} processes on a node, the pool has {place.node} chips there")
    strategy = launch.strategy
    if changes:
        kept = {k: v for k, v in strategy.as_dict().items() if k not in changes and k != "dp"}
        strategy = complete_layout({**kept, **changes}, launch.chips)
    asked, words = _name_software(launch, place, asked, assumed) if calibration.software else (asked, ())
    best = _find_best_words(launch, place, asked, words)
    words += find_layout_words(strategy, place.chip, changes, has_experts=launch.job.model.moe is not None)
    choice = choose_software(calibration, (place.chip,), asked.add(words), changes, layout=strategy)
    # The best plan may have what the script leaves off, so it is searched with all that it says and that its software takes.
    free = choose_software(calibration, (place.chip,), asked.add(best), changes).calibration
    calibration = choice.calibration
    strategy = replace(strategy, **choice.fields)
    job = choice.settle(replace(launch.job, assumed=tuple(assumed)), place.chip)
    plan_read = Plan(job, place, strategy, calibration.find_stated(place.chip))
    result = NearErrors(calibration)(predict(plan_read, calibration))
    if outside.out is not None:
        write_plan(plan_read, outside.out)
    return LaunchPrediction(launch, result, _find_best(result, free), calibration)


def _describe_stops(path: File, launch: Launch) -> str:
    """Return why a launch does not start: every rule that stops it, with its cure and its place."""
    return (
        f"{path}: a launch of {launch.stack} that does not start; it {'; it '.join(launch.stops)}. One that ran all the same is"
        " priced beside what was measured: --measured TIME"
    )


def _name_software(
    launch: Launch, pool: Pool, asked: SoftwareOptions, assumed: list[str]
) -> tuple[SoftwareOptions, tuple[str, ...]]:
    """Return the options with the software that a launch starts, where the user names none, and the switches that it says.

    Software whose switches are known, but not on the chips of the pool, says nothing about them.
    """
    name = name_started(launch.stack, pool.chip)
    if not name:
        return asked, ()
    if asked.software in (None, ()):
        assumed.append(f"software {name}, which the launch starts (--software says another)")
        asked = replace(asked, software=name)
    return asked, launch.switches


def _find_best_words(launch: Launch, pool: Pool, asked: SoftwareOptions, words: Sequence[str]) -> tuple[str, ...]:
    """Return the switches of the best plan: those that a launch turns on, and those that its software would take."""
    on = tuple(word for word in words if OFF.get(word.partition("=")[0]) != word.partition("=")[2])
    name = asked.software if isinstance(asked.software, str) else ""
    switches = {word.partition("=")[0] for word in on}
    written = find_written(launch.framework, name, launch.job, pool.chip) if words or name else ()
    return (*on, *(word for word in written if word.partition("=")[0] not in switches))


def _find_best(result: Result, calibration: Calibration) -> Result | str:
    """Return the fastest plan of the same job on the same chips, or why there is none."""
    allowed, _ = rule_out_overlap(calibration, result.plan.job, result.plan.pool.chip)
    try:
        return plan(result.plan.job, result.plan.pool, allowed, top=1, margin=MARGIN, uneven="named").best
    except InputError as error:
        return str(error)


def explain_launch(prediction: LaunchPrediction) -> Answer[Any]:
    """Return a launch set against the best plan of its job on its chips, term by term."""
    from tianji.api.planning import plan as answer_plan

    read = prediction.result.plan
    return answer_plan(read.job, read.pool, explain=read.strategy, calibration=prediction.calibration, top=1)


def answer_launch(
    prediction: LaunchPrediction, reliability: Reliability, measured: Seconds | None = None
) -> Answer[Result]:
    """Return the answer on a launch script: its prediction, and how far that is from the best and from what was measured."""
    launch, result, best = prediction.launch, prediction.result, prediction.best
    pace = (
        best
        if isinstance(best, str)
        else f"{(result.step_time.nominal / best.step_time.nominal - 1) * 100:+.1f} % to the best"
    )
    summary = (
        f"prediction for a launch of {launch.stack}, {result.plan.job.model.name} on {launch.chips:,} chips:"
        f" {format_duration(result.step_time.nominal)} a step, {pace}"
    )
    read: LaunchDocument = {
        "engine": launch.framework, "stack": launch.stack, "ignored": list(launch.ignored),
        "left_out": list(launch.left_out), "broken": list(launch.broken),
    }  # fmt: skip
    beside = explain_measured(result, prediction.calibration, measured)
    constants = prediction.calibration

    def make_document() -> Mapping[str, Any]:
        gains = weigh_allowed(result, constants)
        document = prediction_document(result, constants, reliability, read, best, beside, gains)
        document["assumptions"] += describe_balance(result, constants)
        return document

    notes = [*launch.broken, *(f"left out: {text}" for text in launch.left_out)]
    if launch.ignored:
        notes.append(f"ignored, as nothing is known of them: {' '.join(launch.ignored)}")
    return Answer(result, summary, make_document, prediction.calibration, notes=tuple(notes))
