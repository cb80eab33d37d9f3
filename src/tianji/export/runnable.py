"""The best plans that one engine can run: the search is held to what the engine has, and its exporter has the last word."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from tianji.errors import ExportError, IllegalStrategyError, InfeasibleError, UnknownNameError
from tianji.export.targets import render_plan
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.prediction.mapper import Mapper
from tianji.result import Result
from tianji.search import plan
from tianji.search.planner import Outcome
from tianji.workload import Job

TRIED = 60
"""Fastest plans of each part of the space that are offered to the exporter."""
PIPELINES = ("1f1b", "interleaved")
ENGINES: dict[str, dict[str, tuple[Any, ...]]] = {
    "megatron": {"schedule": PIPELINES, "zero": (0, 1, 2, 3)},
    "mindspeed": {"schedule": PIPELINES, "zero": (0, 1)},
    "nemo": {"schedule": PIPELINES, "zero": (0, 1, 2, 3)},
    "torchtitan": {
        "schedule": PIPELINES, "zero": (0, 2, 3), "placement": ("dp-inside",), "cp_kind": ("ring",),
    },
    "mindformers": {
        "schedule": PIPELINES, "zero": (0, 1, 2, 3), "placement": ("dp-inside",), "etp": (1,), "overlap_tp": (False,),
    },
    "deepspeed": {
        "zero": (0, 1, 2, 3), "pp": (1,), "ep": (1,), "etp": (1,), "cp_kind": ("ulysses",), "overlap_tp": (False,),
    },
}  # fmt: skip
"""What each engine has of the fields that a search varies; finer limits are the exporter's."""


@dataclass(frozen=True, slots=True)
class Runnable:
    """The best plans for an engine, and how many faster ones it refused."""

    engine: str
    outcome: Outcome
    refused: int
    why: str
    """What the engine said of the fastest plan that it refused; empty when there was none."""


def plan_for_engine(
    engine: str,
    job: Job,
    pool: Pool,
    calibration: Calibration | None = None,
    *,
    fixed: Mapping[str, Any] | None = None,
    extra: Mapping[str, tuple[Any, ...]] | None = None,
    top: int = 5,
    progress: Callable[[int], None] | None = None,
    mapper: Mapper | None = None,
) -> Runnable:
    """Return the fastest plans that an engine runs exactly as they are priced; arguments as of :func:`tianji.search.plan`.

    Raises UnknownNameError for an unknown engine, IllegalStrategyError for fields held to what it has not, ExportError with
    its reasons when it runs none of the fastest plans, and what the search raises when nothing is legal or fits.
    """
    if engine not in ENGINES:
        raise UnknownNameError("engine of --runs-on", engine, ENGINES)
    held = dict(fixed or {})
    outcomes: list[Outcome] = []
    failures: list[InfeasibleError | IllegalStrategyError] = []
    for part in _parts(engine, held):
        try:
            outcomes.append(
                plan(
                    job, pool, calibration, fixed=part, extra=extra, top=max(top, TRIED), progress=progress,
                    mapper=mapper,
                )
            )  # fmt: skip
        except (InfeasibleError, IllegalStrategyError) as error:
            failures.append(error)
    if not outcomes:
        raise failures[0]
    return _choose(engine, outcomes, top)


def _parts(engine: str, held: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the fields to hold for each part of the space that an engine has."""
    own = ENGINES[engine]
    for name, words in own.items():
        if name in held and held[name] not in words:
            known = ", ".join(str(w) for w in words)
            raise IllegalStrategyError(
                f"--fix {name}={held[name]}: {engine} has {name} of {known} (--runs-on {engine})"
            )
    free = {name: words for name, words in own.items() if name not in held}
    for values in product(*free.values()):
        part = held | dict(zip(free, values, strict=True))
        if engine == "torchtitan" and part["zero"] == 2:
            part.setdefault("pp", 1)  # its pipelines keep whole gradients, which the exporter refuses
        yield part


def _choose(engine: str, outcomes: list[Outcome], top: int) -> Runnable:
    unlike = {r.plan.strategy: r for o in outcomes for r in o.results}
    chosen: list[Result] = []
    refused, why = 0, ""
    for result in sorted(unlike.values(), key=lambda r: r.step_time.nominal):
        reason = _refusal(engine, result)
        if reason is None:
            chosen.append(result)
            if len(chosen) == top:
                break
        elif not chosen:
            refused, why = refused + 1, why or reason
    if not chosen:
        raise ExportError(f"{why} (so are the {refused - 1:,} next; another engine, or --fix what it has)")
    best = next(o for o in outcomes if any(r.plan == chosen[0].plan for r in o.results))
    front = tuple(r for r in best.front if _refusal(engine, r) is None)
    found = replace(
        best.found,
        candidates=sum(o.found.candidates for o in outcomes),
        feasible=sum(o.found.feasible for o in outcomes),
        seconds=sum(o.found.seconds for o in outcomes),
    )
    return Runnable(engine, replace(best, results=tuple(chosen), front=front, found=found), refused, why)


def _refusal(engine: str, result: Result) -> str | None:
    try:
        render_plan(result.plan, engine)
    except ExportError as error:
        return str(error)
    return None
