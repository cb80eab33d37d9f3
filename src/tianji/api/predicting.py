"""``predict``: one plan, each second of it accounted for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tianji.api.answer import Answer
from tianji.api.failures import read_loss
from tianji.api.framework_rules import refuse_stopped
from tianji.api.launch import Outside, answer_launch, explain_launch, predict_launch, read_settings
from tianji.api.measured import explain_measured
from tianji.api.quantities import Count, Quantity, read_duration
from tianji.api.requests import (
    CalibrationLike,
    File,
    ModelLike,
    PlanLike,
    PoolLike,
    Sizes,
    StrategyLike,
    find_calibration,
    find_plan,
    find_strategy_fields,
)
from tianji.api.software import SoftwareLike, SoftwareOptions, Words
from tianji.api.software_rules import weigh_allowed
from tianji.errors import FormatError
from tianji.formatting import format_duration, format_percent
from tianji.parallel.layouts import abbreviate_layout
from tianji.prediction import predict as predict_plan
from tianji.prediction.balance import describe_balance
from tianji.prediction.uneven_stages import describe_deal
from tianji.report.documents.prediction import prediction_document
from tianji.result import Result
from tianji.validation.near_errors import NearErrors
from tianji.workload import Model, Precision


def predict(
    model_or_plan: ModelLike | PlanLike | None = None,
    pool: PoolLike | None = None,
    strategy: StrategyLike | None = None,
    *,
    from_: File | None = None,
    set_: Sequence[str] | Mapping[str, str] = (),
    arguments: Sequence[str] = (),
    explain: bool = False,
    out: File | None = None,
    measured: Quantity | None = None,
    chips: Count | None = None,
    batch: Count | None = None,
    seq: Count | None = None,
    tokens: Quantity | None = None,
    precision: str | Precision | None = None,
    optimizer: str | None = None,
    optimizer_dtype: str | None = None,
    main_weights: str | None = None,
    gradient_dtype: str | None = None,
    loss_kernel: str | None = None,
    task: str | None = None,
    lora_rank: Count | None = None,
    lora_targets: str | None = None,
    teacher: File | Model | None = None,
    lengths: Count | None = None,
    moe_imbalance: Quantity | None = None,
    calibration: CalibrationLike = None,
    loss: str = "job",
    replica_chips: Count | None = None,
    software: SoftwareLike | None = None,
    with_: Words = (),
    without: Words = (),
    **fields: Any,
) -> Answer[Result]:
    """Predict one plan: step time, memory and where they go.

    Takes a plan (an answer of ``tianji.plan``, a ``Plan``, a file), or a model and a
    pool with a strategy. The strategy is an object, a text like ``"tp=8,pp=2"``, or
    keywords: any field of ``tianji.Strategy`` (``tp=8, pp=2, zero=1,
    recompute="full"``). Data-parallel ranks take the chips that the other degrees
    leave. Fields beside a plan change its strategy, ``software``, ``with_`` and
    ``without`` what runs it (as in ``tianji.plan``).

    ``from_="launch.sh"`` reads a launch script or a configuration of a training
    stack instead, and says how far it is from the best; ``pool`` says what it runs on,
    ``set_`` (``"NNODES=4"``) and ``arguments`` what the script takes from outside,
    ``out`` writes it as a plan, ``explain`` sets it against the best, term by term.
    A launch at which its framework stops is refused, with the rule and its source.

    ``measured="12.1 s"`` sets a measured step time beside the prediction: inside its
    range or not, what may make the gap, single changes by their gain.

    Raises IllegalStrategyError for degrees that contradict each other, the job or the
    pool.

    >>> answer = predict("llama-3.1-70b", "hgx-h100", chips=64, tp=8, pp=2)
    >>> answer.fits, answer.plan.strategy.dp
    (True, 4)
    """
    sizes = Sizes(chips, batch, seq, tokens, precision, optimizer_dtype, moe_imbalance, optimizer, main_weights,
                  gradient_dtype, loss_kernel, task, lora_rank, lora_targets, teacher, lengths)  # fmt: skip
    reliability, asked = read_loss(loss, replica_chips), SoftwareOptions(software, with_, without)
    seconds = None if measured is None else read_duration(measured, "--measured")
    given = {"--set": set_, "ARGUMENTS behind --": arguments, "--explain": explain, "--out": out}
    if from_ is not None:
        if model_or_plan is not None:
            raise FormatError("--from brings its own model: name only the POOL beside it")
        way_out = "change the file, or its variables with --set NAME=VALUE"
        sizes.refuse(f"cannot change a launch, which holds its own job: {way_out}", ("chips",))
        changes = find_strategy_fields(strategy, fields)
        outside = Outside(read_settings(set_), tuple(arguments), out, seconds is not None)
        if explain and seconds is not None:
            raise FormatError("--measured: leave out --explain, which sets the script against the best plan")
        launch = predict_launch(from_, pool, changes, chips, find_calibration(calibration), outside, asked)
        return explain_launch(launch) if explain else answer_launch(launch, reliability, seconds)
    for name, value in given.items():
        if value:
            raise FormatError(f"{name}: goes with --from FILE; as in `tianji predict --from launch.sh hgx-h100`")
    if model_or_plan is None:
        raise FormatError(
            "expected a plan, or a model and a pool; as in `tianji predict llama-3.1-70b hgx-h100 --tp 8`"
        )
    plan, constants = find_plan("predict", model_or_plan, pool, strategy, fields, sizes, calibration, asked)
    if seconds is None:
        refuse_stopped(plan, constants)
    result = NearErrors(constants)(predict_plan(plan, constants))

    def make_document() -> Mapping[str, Any]:
        beside = explain_measured(result, constants, seconds)
        gains = weigh_allowed(result, constants)
        document = prediction_document(result, constants, reliability, measured=beside, switch_gains=gains)
        document["assumptions"] += (*describe_deal(plan), *describe_balance(result, constants))
        return document

    return Answer(result, _summarize(result), make_document, constants)


def _summarize(result: Result) -> str:
    plan, misfit = result.plan, "" if result.fits else ", does not fit the memory"
    return (
        f"prediction for {plan.job.model.name} on {plan.strategy.chips:,} chips of {plan.pool.name}:"
        f" {format_duration(result.step_time.nominal)} a step, MFU {format_percent(result.mfu)}{misfit},"
        f" {abbreviate_layout(plan.strategy)}"
    )
