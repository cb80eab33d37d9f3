"""What is asked about: models, jobs, pools, strategies, plans and calibrations, by name, by file or as objects."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

from tianji.api.answer import Answer
from tianji.api.quantities import Count, Quantity
from tianji.api.software import NOTHING_SAID, SoftwareOptions, choose_software
from tianji.catalog import list_models, load_calibration, load_model, load_pool, make_job, usual_precision
from tianji.catalog.mixtures import is_mixture, load_mixture
from tianji.errors import FormatError, IllegalStrategyError, UnknownNameError
from tianji.hardware import Chip, Pool
from tianji.hardware.calibration import Calibration
from tianji.hardware.mixture import Mixture
from tianji.parallel import Strategy, read_field
from tianji.parallel.layouts import SHORT, complete_layout, read_layout
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import read_plan
from tianji.parallel.software_fields import hold_fields
from tianji.parallel.strategy import FIELDS
from tianji.result import Result
from tianji.units import parse, parse_count
from tianji.workload import Job, Model, Precision

File: TypeAlias = str | os.PathLike[str]
ModelLike: TypeAlias = File | Model | Job
"""A name of the catalog, the path of a ``config.json``, a model, or a job: a model with its sizes."""
PoolLike: TypeAlias = File | Pool
"""A name of the catalog, the path of a TOML file, or a pool."""
CalibrationLike: TypeAlias = File | Calibration | None
"""A name of the catalog, a TOML file, or a calibration; None is that of the plan's own answer, or else ``default``."""
PlanLike: TypeAlias = File | Plan | Result | Answer[Any]
"""The path of a plan file, a plan, a result, or an answer: of several plans its best."""
StrategyLike: TypeAlias = Strategy | Mapping[str, Any] | str
"""A whole strategy; or some of its fields, as a mapping or a text like ``"tp=8,pp=4"``."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The options that make a model a job; None: not said."""

    chips: Count | None = None
    batch: Count | None = None
    seq: Count | None = None
    tokens: Quantity | None = None
    precision: str | Precision | None = None
    optimizer_dtype: str | None = None
    moe_imbalance: Quantity | None = None
    optimizer: str | None = None
    main_weights: str | None = None
    gradient_dtype: str | None = None
    loss_kernel: str | None = None
    task: str | None = None
    lora_rank: Count | None = None
    lora_targets: str | None = None
    teacher: File | Model | None = None
    lengths: Count | None = None

    def refuse(self, why: str, allowed: tuple[str, ...] = ()) -> None:
        """Raise FormatError for the first option that was given; ``why`` follows its name."""
        for field in fields(self):
            if field.name not in allowed and getattr(self, field.name) is not None:
                flag = "--" + field.name.replace("_", "-")
                raise FormatError(f"{flag} {why.replace('FLAG', flag)}")


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks about: a job, a pool and the calibration to use."""

    job: Job
    pool: Pool
    calibration: Calibration


def find_request(
    model: ModelLike, pool: PoolLike, sizes: Sizes, calibration: CalibrationLike, asked: SoftwareOptions = NOTHING_SAID,
    fixed: Mapping[str, Any] | None = None,
) -> Request:  # fmt: skip
    """Return the request that a model, a pool and the options of the job make.

    ``fixed`` are the strategy fields that the user says; switches that contradict them are refused.

    Raises InputError for anything in them that cannot be used.
    """
    check_model(model)
    place = find_pool(pool, sizes.chips)
    job = find_job(model, sizes, place.chips, (place.chip,))
    has_experts = job.model.moe is not None
    choice = choose_software(find_calibration(calibration), (place.chip,), asked, fixed, has_experts=has_experts)
    choice = choice.rule_out(job, (place.chip,), fixed or {})
    return Request(choice.settle(job, place.chip), place, choice.calibration)


def check_model(model: ModelLike) -> None:
    """Raise InputError where no model is meant, before anything else is read."""
    if not isinstance(model, (Job, Model)):
        load_model(model)


def find_pool(pool: PoolLike, chips: Count | None = None) -> Pool:
    """Return a pool, with a number of chips or its own."""
    number = None if chips is None else parse_count(chips, "--chips")
    if not isinstance(pool, Pool) and is_mixture(pool):
        raise IllegalStrategyError(
            f"{pool} is a mixture of unlike chips, and a pool of one chip is asked for: `tianji plan MODEL MIXTURE` finds how to"
            " divide the work; `tianji compare`, `tianji goodput` and `tianji replace --from` take it too"
        )
    if not isinstance(pool, Pool):
        return load_pool(pool, number)
    return pool if number is None else pool.with_chips(number)


def find_mixture(pool: PoolLike | Mixture) -> Mixture | None:
    """Return the mixture that is meant, or None for a pool of one chip."""
    if isinstance(pool, Mixture):
        return pool
    return None if isinstance(pool, Pool) or not is_mixture(pool) else load_mixture(pool)


def find_job(model: ModelLike, sizes: Sizes, chips: int, kinds: Sequence[Chip]) -> Job:
    """Return the job of a model on so many chips of some kinds; a job stays as it is.

    Number formats that nobody says are those of the published run, where the chips compute in them.
    """
    if isinstance(model, Job):
        sizes.refuse("cannot change a job, which has sizes of its own; name a model, or make another job", ("chips",))
        return model
    if isinstance(model, Model) and model.name in list_models() and load_model(model.name) == model:
        model = model.name  # The published run, whose sizes count where none are given, is found by the name.
    imbalance = 1.0 if sizes.moe_imbalance is None else parse(sizes.moe_imbalance, "ratio", "--moe-imbalance")
    precision, remark = (sizes.precision, "") if sizes.precision else usual_precision(model, kinds, sizes.task)
    job = make_job(
        model, sizes.seq, sizes.batch, sizes.tokens, precision,
        moe_imbalance=imbalance, chips=chips, optimizer_dtype=sizes.optimizer_dtype, optimizer=sizes.optimizer,
        main_weights=sizes.main_weights, gradient_dtype=sizes.gradient_dtype, loss_kernel=sizes.loss_kernel, task=sizes.task,
        lora_rank=sizes.lora_rank, lora_targets=sizes.lora_targets, teacher=sizes.teacher, lengths=sizes.lengths,
    )  # fmt: skip
    return replace(job, assumed=(*job.assumed, f"number formats {remark}")) if remark else job


def find_calibration(calibration: CalibrationLike, plan: object = None) -> Calibration:
    """Return a calibration; where none is named, the one that the plan's answer was made with."""
    if isinstance(calibration, Calibration):
        return calibration
    if calibration is not None:
        return load_calibration(calibration)
    own = plan.calibration if isinstance(plan, Answer) else None
    return own or load_calibration()


def find_strategy_fields(strategy: StrategyLike | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a strategy; ``given`` are keywords, which count beside ``strategy``; None was not said.

    >>> find_strategy_fields("tp=8, zero=1", {"pp": "4"})
    {'tp': 8, 'zero': 1, 'pp': 4}

    Raises FormatError for a value out of its range or a field that is given twice, UnknownNameError for no field.
    """
    if isinstance(strategy, Strategy):
        own: Mapping[str, Any] = strategy.as_dict()
    else:
        own = read_layout(strategy, "strategy") if isinstance(strategy, str) else dict(strategy or {})
    read: dict[str, Any] = {}
    for name, value in [*own.items(), *((name, value) for name, value in given.items() if value is not None)]:
        field = SHORT.get(name, name)
        if field not in FIELDS:
            raise UnknownNameError("option", name, [*FIELDS, *(f.name for f in fields(Sizes))])
        if field in read and not isinstance(strategy, Strategy):
            raise FormatError(f"strategy: {field} is given twice, as {read[field]} and as {value}")
        read[field] = read_field(field, value)
    Strategy(**read)
    return read


def find_plan(
    verb: str, model_or_plan: ModelLike | PlanLike, pool: PoolLike | None, strategy: StrategyLike | None,
    given: Mapping[str, Any], sizes: Sizes, calibration: CalibrationLike, asked: SoftwareOptions = NOTHING_SAID,
) -> tuple[Plan, Calibration]:  # fmt: skip
    """Return the plan and the calibration that a plan, or a model and a pool, and their options stand for.

    Strategy fields beside a plan change its strategy. Raises InputError for anything that cannot be used.
    """
    changes = find_strategy_fields(strategy, given)
    if pool is not None:
        if isinstance(model_or_plan, (Plan, Result, Answer)):
            raise FormatError("a plan holds its own pool: leave the pool out, or name a model beside it")
        request = find_request(model_or_plan, pool, sizes, calibration, asked, changes)
        decided = hold_fields(request.calibration, request.pool.chip, changes)
        layout = (
            strategy
            if isinstance(strategy, Strategy) and changes == strategy.as_dict()
            else complete_layout(decided, request.pool.chips)
        )
        return Plan(request.job, request.pool, layout), request.calibration
    sizes.refuse(
        "cannot change a plan file, which holds its own job and pool; name a MODEL and a POOL, or make"
        " another plan with `tianji plan ... FLAG ... --out FILE`"
    )
    if isinstance(model_or_plan, (Job, Model)) or model_or_plan in list_models():
        name = model_or_plan if isinstance(model_or_plan, str) else "this"
        example = (
            f"tianji {verb} {name} POOL --tp 8 ..." if isinstance(model_or_plan, str) else "name it after the model"
        )
        raise FormatError(f"{name} is a model, and a model needs a pool: {example}")
    plan = plan_of(model_or_plan)
    constants = find_calibration(calibration, model_or_plan)
    return _choose_for_plan(plan, constants, asked, changes)


def _choose_for_plan(
    plan: Plan, constants: Calibration, asked: SoftwareOptions, changes: Mapping[str, Any]
) -> tuple[Plan, Calibration]:
    """Return a plan with its changes, and the calibration under the software that is said, or that the plan was made for."""
    own = plan.software or constants.find_stated(plan.pool.chip)
    if asked.is_empty:
        changed = change_strategy(plan, changes)
        return changed, constants.under(own, plan.pool.chip.name) if own else constants
    choice = choose_software(constants, (plan.pool.chip,), asked, changes, own or "", plan.strategy)
    changed = change_strategy(plan, {**choice.fields, **changes})
    job = choice.settle(plan.job, plan.pool.chip)
    return replace(changed, job=job, software=choice.calibration.find_stated(plan.pool.chip)), choice.calibration


def plan_of(plan: PlanLike) -> Plan:
    """Return the plan of a file, a result or an answer; of an answer with several the best.

    Raises FormatError for an answer without a plan.
    """
    if isinstance(plan, Plan):
        return plan
    if not isinstance(plan, (Result, Answer)):
        return read_plan(plan)
    from tianji.search import Outcome  # commands without a search do without

    inner = plan.result if isinstance(plan, Answer) else plan
    result = inner.best if isinstance(inner, Outcome) else inner
    if not isinstance(result, Result):
        raise FormatError(f"expected a plan, got {plan!r}; `tianji.plan` and `tianji.predict` return one")
    return result.plan


def change_strategy(plan: Plan, changes: Mapping[str, Any]) -> Plan:
    """Return a plan with some strategy fields changed; ``dp`` takes the chips that other degrees leave."""
    if not changes:
        return plan
    kept = {k: v for k, v in plan.strategy.as_dict().items() if k not in changes}
    if "dp" not in changes and {"tp", "pp", "cp"} & changes.keys():
        kept.pop("dp")
    if "vpp" in changes and "schedule" not in changes:
        kept.pop("schedule")
    return replace(plan, strategy=complete_layout({**kept, **changes}, plan.strategy.chips))
