"""``plan``: the best strategies of a job on a pool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tianji.api.answer import Answer
from tianji.api.failures import read_loss
from tianji.api.framework_rules import keep_startable, refuse_stopped
from tianji.api.layout_support import describe_support
from tianji.api.mixtures import find_mixed_outcome, refuse_options
from tianji.api.progress import show_progress
from tianji.api.quantities import Batches, Count, Pairs, Quantity, read_batches, read_margin, read_pairs
from tianji.api.requests import (
    CalibrationLike,
    File,
    ModelLike,
    PoolLike,
    Request,
    Sizes,
    StrategyLike,
    find_calibration,
    find_mixture,
    find_request,
    find_strategy_fields,
)
from tianji.api.software import SoftwareLike, SoftwareOptions, Words
from tianji.api.software_rules import weigh_allowed
from tianji.api.started_software import find_varied, say_target
from tianji.backends.mapping import open_mapper
from tianji.comparison import Assessment, Assumptions, assess
from tianji.comparison.batches import AtBatch, weigh_batches
from tianji.comparison.cheapest_size import OBJECTIVES as CHOOSES_SIZE
from tianji.comparison.cheapest_size import find_cheapest_size
from tianji.errors import FormatError, InfeasibleError, UnknownNameError
from tianji.formatting import format_duration, format_percent
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.hardware.mixture import Mixture
from tianji.parallel.layouts import abbreviate_layout, complete_layout, read_layout
from tianji.parallel.legality import check
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import find_target, write_plan
from tianji.parallel.software_fields import hold_fields
from tianji.parallel.strategy import VARIED
from tianji.prediction import predict
from tianji.prediction.balance import describe_balance
from tianji.reliability import Reliability
from tianji.report.documents.mixture import mixed_plan_document
from tianji.report.documents.plan import RunsOnDocument, plan_document
from tianji.result import Result
from tianji.search import Outcome, SearchOptions
from tianji.search import plan as search_plans
from tianji.search.mixed_planner import MixedOutcome
from tianji.units import parse_count
from tianji.validation.expected_gains import weigh_precedents
from tianji.validation.near_errors import NearErrors
from tianji.workload import Job, Model, Precision

if TYPE_CHECKING:
    from tianji.exporters.runnable import Runnable

OBJECTIVES = ("time", *CHOOSES_SIZE)
"""What a plan is the best in; of the last two the number of chips is chosen too."""
MOST_PLANS = 1000


def plan(
    model: ModelLike,
    pool: PoolLike | Mixture,
    *,
    chips: Count | None = None,
    batch: Batches | None = None,
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
    margin: Quantity | None = None,
    calibration: CalibrationLike = None,
    objective: str = "time",
    fix: StrategyLike | Iterable[str] | None = None,
    vary: str | Iterable[str] = (),
    runs_on: str | None = None,
    top: Count = 5,
    explain: StrategyLike | None = None,
    rent: Pairs = (),
    power: Pairs = (),
    loss: str = "job",
    replica_chips: Count | None = None,
    out: File | None = None,
    workers: str = "local",
    software: SoftwareLike | None = None,
    with_: Words = (),
    without: Words = (),
) -> Answer[Outcome] | Answer[MixedOutcome]:
    """Find the best way to cut a model over a pool; every legal strategy is priced.

    ``model`` and ``pool`` are names of the catalog, files, or objects; a mixture of
    unlike chips gives ``Answer[MixedOutcome]``. Sizes and formats that
    are left out are those of the model's published run; bf16 where the chips lack them.

    * ``tokens="15T"`` gives the days of the run; ``batch="1024, 2048"`` sets a second
      batch beside the first.
    * ``objective="cost"`` or ``"energy"`` chooses the number of chips too, by ``rent``
      and ``power`` (``{"h800": 2.0}``: dollars of a chip-hour, watts of a chip).
    * ``fix="tp=8,zero=1"`` holds strategy fields, ``vary="overlap_ep"`` tries a switch
      on and off, ``runs_on="megatron"`` keeps to plans that this framework runs
      exactly.
    * ``margin="5 %"`` is the share of the usable memory that a plan must leave free;
      without it 3 %.
    * ``explain="tp=8,pp=4"`` sets a layout of yours against the best, term by term.
    * ``software="megatron-bridge@26.08"`` with switches set (``with_="full-graph"``) or
      taken off (``without=``) is what will run.
    * ``out="plan.json"`` writes the best plan as a file.

    Raises InfeasibleError, with the closest miss, where nothing fits; InputError for
    bad input.

    >>> answer = plan("llama-3.1-8b", "hgx-h100", chips=8, batch=64)
    >>> answer.best.plan.strategy.chips, len(answer.results)
    (8, 5)
    """
    batch, batches = read_batches(batch)
    sizes = Sizes(chips, batch, seq, tokens, precision, optimizer_dtype, moe_imbalance, optimizer, main_weights,
                  gradient_dtype, loss_kernel, task, lora_rank, lora_targets, teacher, lengths)  # fmt: skip
    fixed, asked = _read_fixed(fix), SoftwareOptions(software, with_, without)
    reliability = read_loss(loss, replica_chips)
    wanted = parse_count(top, "--top")
    reserve = read_margin(margin)
    if wanted > MOST_PLANS:
        raise InfeasibleError(f"--top: {top} plans are more than anyone reads; expected at most {MOST_PLANS:,}")
    if objective not in OBJECTIVES:
        raise UnknownNameError("objective", objective, OBJECTIVES)
    if objective == "time" and (rent or power):
        option = "--rent" if rent else "--power"
        raise FormatError(f"{option} counts only with --objective cost or energy; give one of them, or leave it out")
    if out is not None:
        find_target(out)
    if (mixture := find_mixture(pool)) is not None:
        refuse_options({"--explain": explain, "--out": out, "--vary": vary, "--workers": workers != "local", "--runs-on": runs_on,
                 "--objective": objective != "time", "--chips": chips, "--batch with several": batches},
                mixture)  # fmt: skip
        return _plan_mixture(model, mixture, sizes, fixed, find_calibration(calibration), reliability, asked)
    assert not isinstance(pool, Mixture)
    request = find_request(model, pool, sizes, calibration, asked, fixed)
    target = say_target(asked, runs_on, request.job, request.pool.chip) if request.calibration.software else asked
    if target != asked:
        request = find_request(model, pool, sizes, calibration, target, fixed)
    explained = None if explain is None else _predict_layout(explain, request)
    varied: dict[str, tuple[Any, ...]] = {name: (False, True) for name in _read_switches(vary)}
    assumptions = Assumptions(
        rents=read_pairs(rent, "--rent", "money"), powers=read_pairs(power, "--power", "power"), reliability=reliability
    )
    with open_mapper(workers) as mapper:
        cheapest = None
        if objective != "time":
            cheapest = find_cheapest_size(
                request.job, request.pool, request.calibration, objective, assumptions, fixed=fixed, mapper=mapper
            )
            request = replace(request, pool=cheapest.pool)
        options = SearchOptions(fixed, varied, wanted, margin=reserve, mapper=mapper)
        outcome, runnable = _search(request, runs_on, options)
        outcome = replace(outcome, results=keep_startable(outcome.results, request.calibration))
        outcome = replace(outcome, results=tuple(map(NearErrors(request.calibration), outcome.results)))
        target_of = _compare_freely(runnable, request, options) if runnable else None
        points = _at_batches(request, outcome, batches, runs_on, replace(options, top=1), assumptions)
    beside = {"objective": objective, "explained": explained, "reliability": reliability, "cheapest": cheapest,
              "assumptions": assumptions, "batches": points, "runs_on": target_of}  # fmt: skip
    return _answer(outcome, request.calibration, out, beside)


def _read_fixed(fix: StrategyLike | Iterable[str] | None) -> dict[str, Any]:
    if not fix:
        return {}
    if isinstance(fix, (str, Mapping)):
        return find_strategy_fields(read_layout(fix, "--fix") if isinstance(fix, str) else fix, {})
    return read_layout(",".join(fix), "--fix") if isinstance(fix, Iterable) else find_strategy_fields(fix, {})


def _read_switches(vary: str | Iterable[str]) -> tuple[str, ...]:
    names = (vary,) if isinstance(vary, str) else tuple(vary)
    for name in names:
        if name not in VARIED:
            raise UnknownNameError("switch", name, VARIED)
    return names


def _predict_layout(layout: StrategyLike, request: Request) -> Result:
    fields = read_layout(layout, "--explain") if isinstance(layout, str) else layout
    given = find_strategy_fields(fields, {})
    strategy = complete_layout(hold_fields(request.calibration, request.pool.chip, given), request.pool.chips)
    check(strategy, request.job, request.pool)
    plan = Plan(request.job, request.pool, strategy)
    refuse_stopped(plan, request.calibration)
    return predict(plan, request.calibration)


def _search(request: Request, runs_on: str | None, options: SearchOptions) -> tuple[Outcome, Runnable | None]:
    asked = (request.job, request.pool, request.calibration)
    with show_progress("Pricing strategies") as progress:
        options = replace(options, progress=progress)
        if runs_on is None:
            return _search_freely(request, options), None
        from tianji.exporters.runnable import plan_for_framework  # loads every export target

        runnable = plan_for_framework(runs_on, *asked, options)
        return runnable.outcome, runnable


def _search_freely(request: Request, options: SearchOptions) -> Outcome:
    """Return the best of all plans, those included that the stated software's files ask for."""
    varied = {**find_varied(request.calibration, request.pool.chip), **options.extra}
    options = replace(options, uneven="named", extra=varied)
    return search_plans(request.job, request.pool, request.calibration, options)


def _compare_freely(runnable: Runnable, request: Request, options: SearchOptions) -> RunsOnDocument:
    """Return what a framework's restrictions leave, beside the fastest of all plans under the same software."""
    free = _search_freely(request, replace(options, top=1, leading=0)).best
    return {
        "engine": runnable.framework, "faster_refused": runnable.refused, "why": runnable.why,
        "free_step_time_s": free.step_time.nominal,
        "free_layout": abbreviate_layout(free.plan.strategy),
    }  # fmt: skip


def _at_batches(
    request: Request, outcome: Outcome, batches: Sequence[int], runs_on: str | None, options: SearchOptions, given: Assumptions
) -> tuple[AtBatch, ...]:  # fmt: skip
    """Return the best plan at each batch of a list; nothing without one."""
    if not batches:
        return ()

    def search(job: Job, pool: Pool | Mixture) -> Assessment | None:
        assert isinstance(pool, Pool)
        try:
            return assess(_search(replace(request, job=job, pool=pool), runs_on, options)[0].best, given)
        except InfeasibleError:
            return None

    own = assess(outcome.best, given)
    return weigh_batches((own,), request.job.global_batch_size, batches, search)


def _answer(outcome: Outcome, calibration: Calibration, out: File | None, beside: dict[str, Any]) -> Answer[Outcome]:
    notes: tuple[str, ...] = ()
    if out is not None:
        best = outcome.best.plan
        write_plan(replace(best, software=calibration.find_stated(best.pool.chip)), out)
        notes = (f"plan 1 is in {out}; `tianji predict {out}` explains it again",)

    def make_document() -> Mapping[str, Any]:
        optimism = outcome.choice.optimism if outcome.choice else 0.0
        published = weigh_precedents(outcome.best, calibration, optimism)
        gains = weigh_allowed(outcome.best, calibration)
        document = plan_document(
            outcome, calibration, published=published, switch_gains=gains,
            layout_support=None if beside["runs_on"] else describe_support(outcome, calibration), **beside
        )  # fmt: skip
        document["assumptions"] += describe_balance(outcome.best, calibration)
        return document

    return Answer(outcome, _summarize(outcome), make_document, calibration, notes=notes)


def _summarize(outcome: Outcome) -> str:
    best, others = outcome.best, len(outcome.results) - 1
    job, pool = best.plan.job, best.plan.pool
    return (
        f"plan of {job.model.name} on {pool.chips:,} chips of {pool.name}: {format_duration(best.step_time.nominal)} a step,"
        f" MFU {format_percent(best.mfu)}, {abbreviate_layout(best.plan.strategy)}{f' and {others} more' if others else ''}"
    )


def _plan_mixture(
    model: ModelLike, mixture: Mixture, sizes: Sizes, fixed: Mapping[str, Any], calibration: Calibration,
    reliability: Reliability, asked: SoftwareOptions,
) -> Answer[MixedOutcome]:  # fmt: skip
    outcome, calibration = find_mixed_outcome(model, mixture, sizes, fixed, calibration, asked)
    summary = f"plan of {outcome.job.model.name} on the mixture {mixture.name}: {outcome.verdict}"
    return Answer(outcome, summary, partial(mixed_plan_document, outcome, calibration, reliability), calibration)
