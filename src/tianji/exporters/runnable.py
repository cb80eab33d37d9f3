"""The best plans that one framework can run: the search is held to what the framework has, and its exporter has the last word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from tianji.backends.support import check_support
from tianji.catalog import load_calibration
from tianji.catalog.architectures import find_mixture
from tianji.errors import ExportError, IllegalStrategyError, InfeasibleError, InputError, UnknownNameError
from tianji.exporters.targets import TARGETS, is_exported, render_plan
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import Strategy
from tianji.perf.memory import usable_memory
from tianji.prediction import predict, predict_together
from tianji.result import Result
from tianji.search import SearchOptions, plan
from tianji.search.binding import find_binding
from tianji.search.candidate import Candidate
from tianji.search.choice import Choice, choose
from tianji.search.planner import Outcome
from tianji.search.refinement import NAMED, name_stages
from tianji.search.sizes import coarse_time, find_smaller
from tianji.search.space import ON_REQUEST
from tianji.workload import Job

TRIED = 60
"""Fastest plans of each part of the space that are offered to the exporter."""
SPACES: dict[str, Mapping[str, tuple[Any, ...]]] = {
    name: target.space for name, target in TARGETS.items() if target.space is not None
}
"""What each training framework has of the fields that a search varies; finer limits are its refusals."""
OWN = "tianji"
"""The trainer of ``tianji run``, which needs no export."""
SPACES[OWN] = {"etp": (1,), "offload_optimizer": (False,)}


@dataclass(frozen=True, slots=True)
class Runnable:
    """The best plans for a framework, and how many faster ones it refused."""

    framework: str
    outcome: Outcome
    refused: int
    why: str
    """What the framework said of the fastest plan that it refused; empty when there was none."""


def plan_for_framework(
    framework: str,
    job: Job,
    pool: Pool,
    calibration: Calibration | None = None,
    options: SearchOptions | None = None,
    **changes: Any,
) -> Runnable:
    """Return the fastest plans that a framework runs exactly as they are priced; arguments as of :func:`tianji.search.plan`.

    Raises UnknownNameError for an unknown framework, IllegalStrategyError for a field fixed to what it has not, ExportError
    with its reasons when it runs none of the fastest plans, and what the search raises when nothing is legal or fits.
    """
    if framework not in SPACES:
        raise UnknownNameError("framework of --runs-on", framework, SPACES)
    outcomes: list[Outcome] = []
    failures: list[InfeasibleError | IllegalStrategyError] = []
    options = replace(options or SearchOptions(), **changes)
    known = load_calibration() if calibration is None else calibration
    # The same numbers of chips as without a framework, so that a framework is never the faster one.
    constants = known.constants(pool.chip)
    on_all = coarse_time(job, pool, constants, options.fixed)
    smaller = find_smaller(job, pool, constants, options.fixed, on_all)
    wider = replace(options, top=max(options.top, TRIED), smaller=smaller, uneven="noted")
    for part in _parts(framework, job, dict(options.fixed)):
        try:
            outcomes.append(plan(job, pool, known, replace(wider, fixed=part)))
        except (InfeasibleError, IllegalStrategyError) as error:
            failures.append(error)
    if not outcomes:
        raise failures[0]
    return _choose(framework, [o for o in outcomes if _leaves_reserve(o, options)] or outcomes, options, known)


def _leaves_reserve(outcome: Outcome, options: SearchOptions) -> bool:
    """Return whether a part's plans leave the reserve that was asked for: a part in which none can is searched without one."""
    best = outcome.best
    return best.memory_total <= usable_memory(best.plan.pool) * (1.0 - options.margin)


def _parts(framework: str, job: Job, fixed: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the fields to hold for each part of the space that a framework has."""
    target = TARGETS.get(framework)
    space = {**SPACES[framework], **(target.narrow_space(job) if target and target.narrow_space else {})}
    for name, words in space.items():
        if name in fixed and fixed[name] not in words:
            known = ", ".join(str(w) for w in words)
            raise IllegalStrategyError(
                f"--fix {name}={fixed[name]}: {framework} has {name} of {known} (--runs-on {framework})"
            )
    # What a search takes only on request is not taken here either: a framework would else be faster than the free search.
    free = {name: [w for w in words if w not in ON_REQUEST] for name, words in space.items() if name not in fixed}
    for values in product(*free.values()):
        part = fixed | dict(zip(free, values, strict=True))
        if free.get("zero") and part["zero"] == 2:
            part = {"pp": 1} | part
        for (name, word), others in target.implied.items() if target else ():
            if part.get(name) == word:
                part = dict(others) | part
        yield part


def _choose(framework: str, outcomes: list[Outcome], options: SearchOptions, calibration: Calibration) -> Runnable:
    top, calibration = options.top, calibration.training(find_mixture(outcomes[0].best.plan.job.model))
    unlike = {r.plan.strategy: r for o in outcomes for r in o.results}
    chosen: list[Result] = []
    refused, why = 0, ""
    for result in sorted(unlike.values(), key=lambda r: r.step_time.nominal):
        reason = find_reason(framework, result.plan)
        if reason is None:
            chosen.append(result)
            if len(chosen) == max(top, TRIED):
                break
        elif not chosen:
            refused, why = refused + 1, why or reason
    if not chosen:
        raise ExportError(f"{why} (so are the {refused - 1:,} next; another framework, or --fix what it has)")
    best = next(o for o in outcomes if any(r.plan == chosen[0].plan for r in o.results))
    front = tuple(r for r in best.front if runs_exactly(framework, r.plan))
    searched = replace(
        best.search,
        candidates=sum(o.search.candidates for o in outcomes),
        feasible=sum(o.search.feasible for o in outcomes),
        seconds=sum(o.search.seconds for o in outcomes),
    )
    named = _name_stages(framework, chosen, outcomes, options, calibration)
    choice, ranked = _rank([*(r for r in chosen if r.plan.strategy not in named), *named.values()], calibration)
    results = tuple(ranked[:top])
    dealt = next(
        (predict(replace(results[0].plan, strategy=s), calibration) for s in named if named[s] is results[0]), None
    )
    binding = find_binding(results[0], searched.feasible, searched.candidates)
    kept = best.micro_batch if results[0] == best.results[0] else None
    outcome = replace(
        best, results=results, front=front, search=searched, choice=choice, binding=binding, near=None, micro_batch=kept,
        dealt=dealt,
    )  # fmt: skip
    return Runnable(framework, outcome, refused, why)


def _name_stages(
    framework: str, chosen: list[Result], outcomes: list[Outcome], options: SearchOptions, calibration: Calibration
) -> dict[Strategy, Result]:
    """Return the plans that are faster with uneven stages that the framework takes, by what they are with layers dealt out."""
    plan = chosen[0].plan
    used = replace(plan.pool, chips=plan.strategy.chips)
    alike = [r for r in chosen if r.plan.strategy.chips == used.chips]
    leading = [
        Candidate(r.plan.strategy, r.step_time.nominal, r.memory_total) for r in alike[: max(options.top, NAMED)]
    ]
    improvable = [c for o in outcomes for c in o.search.improvable if c.strategy.chips == used.chips]
    search = replace(outcomes[0].search, best=tuple(leading), shortlist=(), improvable=tuple(improvable))

    def can_name(strategy: Strategy) -> bool:
        return runs_exactly(framework, replace(plan, strategy=strategy))

    asked = replace(options, uneven="named", can_name=can_name)
    reserve = options.margin if _leaves_reserve(outcomes[0], options) else 0.0
    room = replace(used, usable_memory=used.usable_memory * (1.0 - reserve))
    named = name_stages(plan.job, room, calibration.constants(used.chip), search, asked)
    results = predict_together(plan.job, plan.pool, [c.strategy for c in named.values()], calibration) if named else ()
    return dict(zip(named, results, strict=True))


def _rank(runnable: list[Result], calibration: Calibration) -> tuple[Choice | None, list[Result]]:
    """Return the choice among the plans that run, on as many chips as the fastest, and these plans, the best first."""
    chosen = sorted(runnable, key=lambda r: r.step_time.nominal)
    plan = chosen[0].plan
    alike = [r for r in chosen if r.plan.strategy.chips == plan.strategy.chips]
    used = replace(plan.pool, chips=plan.strategy.chips)
    choice = choose(plan.job, used, calibration, [r.plan.strategy for r in alike])
    if choice is None:
        return None, chosen
    place = {strategy: i for i, strategy in enumerate(choice.strategies)}
    return choice, sorted(chosen, key=lambda r: place.get(r.plan.strategy, len(place)))


def runs_exactly(framework: str, plan: Plan) -> bool:
    """Return whether a framework would run a plan exactly."""
    return find_reason(framework, plan) is None if framework == OWN else is_exported(plan, framework)


def find_reason(framework: str, plan: Plan) -> str | None:
    """Return why a framework would not run a plan exactly; None where it does."""
    try:
        if framework == OWN:
            check_support(plan)
        else:
            render_plan(plan, framework)
    except (ExportError, InputError) as error:
        return str(error)
    return None
