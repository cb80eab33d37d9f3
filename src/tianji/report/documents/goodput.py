"""The document of ``tianji goodput``: what lasts of a plan's time, where the rest goes, and what each choice is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, TypedDict

from tianji.catalog import find_sources
from tianji.hardware import Figure
from tianji.hardware.calibration import Calibration
from tianji.hardware.failure_profile import FailureProfile
from tianji.prediction.goodput import Goodput
from tianji.prediction.remedies import IntervalChoice
from tianji.ranges import RangeDocument
from tianji.reliability import Expectation
from tianji.reliability.hazards import domain_chips
from tianji.report.documents.bottom_line import goodput_line
from tianji.report.documents.cited_figures import (
    FigureDocument,
    PublicationDocument,
    figure_document,
    publication_document,
)
from tianji.report.documents.goodput_summary import days_with_failures, describe_loss
from tianji.report.documents.plan_result import PlanResultDocument, plan_result_document
from tianji.report.documents.request import RequestDocument, request_document
from tianji.report.documents.three_lines import BottomLineDocument
from tianji.result import Result
from tianji.search.mixed_planner import MixedOutcome
from tianji.units import DAY, HOUR, Dollars

MONTH = 30 * DAY / HOUR
"""Hours of the month over which choices are compared."""


class CaseDocument(TypedDict):
    """One case of the failure rate. Shares are of wall-clock time; ``losses`` and ``goodput`` add up to 1."""

    goodput: float
    standard_error: float
    """Of the goodput, where it was sampled; 0 for the closed form."""
    losses: dict[str, float]
    mtbf_s: float
    """Mean time between failures that stop the job, or one of its replicas."""
    recovery_time_s: float
    """From a failure until training goes on, loading included."""
    save_time_s: float
    """How long one checkpoint to storage stops the training."""
    drain_time_s: float
    """How long the storage goes on writing behind it."""
    checkpoint_intervals_s: dict[str, float]
    """Training time between two checkpoints, by store."""
    spares: int
    spares_needed: int
    """Spare nodes that this case asks for."""
    failures_per_day: dict[str, float]
    """By component."""


class CasesDocument(TypedDict):
    """The same run under three rates of failures: the profile's nominal one, and both its ends."""

    nominal_failures: CaseDocument
    many_failures: CaseDocument
    few_failures: CaseDocument


class ChoiceDocument(TypedDict):
    """Another choice beside the user's own."""

    name: str
    goodput: RangeDocument
    chip_hours_in_30_days: float
    """Gained over the user's own choice."""
    money_in_30_days_usd: float | None
    """The same in dollars; null without a price."""


class IntervalDocument(TypedDict):
    """One checkpoint interval."""

    interval_s: float
    """Training time between two checkpoints to storage."""
    steps: int
    goodput: RangeDocument
    writing: float
    """Share of the time in which the storage writes."""
    is_best: bool
    is_recommended: bool
    """The longest within a tenth of a point of the best, at which the storage writes at most half of the time."""


class SparesDocument(TypedDict):
    """One number of spare nodes."""

    spares: int
    goodput: RangeDocument
    waiting: float
    """Share of the time in which the job waits for a repaired node, at the nominal failure rate."""


@dataclass(frozen=True, slots=True)
class Remedies:
    """What was weighed beside the user's own choices."""

    choices: Mapping[str, Goodput]
    intervals: Sequence[IntervalChoice]
    spares: Mapping[int, Goodput]


class ProfileFigureDocument(FigureDocument):
    """A figure of a failure profile."""

    source: str


class CauseDocument(TypedDict):
    """One line of the study of failures behind a profile."""

    name: str
    component: str
    per: str
    """What its rate grows with: ``chip`` or ``node``."""
    count: float
    """Its events in the study."""
    source: str


class RungDocument(TypedDict):
    """One rung of the recovery ladder."""

    name: str
    detection: ProfileFigureDocument
    restart: ProfileFigureDocument


class FailureProfileDocument(TypedDict):
    """A failure profile with the source of each figure."""

    name: str
    title: str
    notes: list[str]
    figures: dict[str, ProfileFigureDocument]
    causes: list[CauseDocument]
    rungs: list[RungDocument]
    sources: list[PublicationDocument]


class LastingDocument(TypedDict):
    """What lasts of a job's time, on a pool of one chip or on a mixture."""

    bottom_line: BottomLineDocument
    step_time_s: float
    tokens_per_s: float
    """While nothing fails."""
    days_without_failures: float | None
    goodput: RangeDocument
    leans_on: str
    """What the goodput rests on."""
    useful_tokens_per_s: float
    days: float | None
    """Of the whole run with its failures, nominal; null for a job without a number of tokens."""
    days_range: RangeDocument | None
    spare_nodes: int
    replicas: int
    loss_in_words: str
    cases: CasesDocument
    choices: list[ChoiceDocument]
    intervals: list[IntervalDocument]
    """Empty where a failure stops a replica and not the job."""
    spares: list[SparesDocument]
    """Empty where lost nodes are not replaced, and on a mixture, whose parts have spares of their own."""
    price_usd_per_chip_hour: float | None
    reliability: dict[str, Any]
    """How the job is run under failures, as it was chosen."""


class GoodputDocument(RequestDocument, LastingDocument):
    """How much of a plan's time becomes lasting progress."""

    document: Literal["goodput"]
    plan: PlanResultDocument
    failure_domains: dict[str, int]
    """Chips that one failure of a component takes down."""
    failure_profile: FailureProfileDocument


def goodput_document(
    result: Result, goodput: Goodput, remedies: Remedies, calibration: Calibration, price: Dollars | None
) -> GoodputDocument:
    """Return the goodput of a plan; ``price`` is that of one chip-hour."""
    plan = result.plan
    every = next((choice.interval for choice in remedies.intervals if choice.is_recommended), 0.0)
    return {
        "document": "goodput",
        **request_document(plan, calibration),
        **lasting_document(result, goodput, remedies, price, goodput_line(result, goodput, price, every)),
        "plan": plan_result_document(result, goodput.reliability),
        "failure_domains": {
            name: domain_chips(name, plan.pool, plan.strategy.chips) for name in goodput.nominal.failures
        },
        "failure_profile": profile_document(goodput.profile),
    }


def lasting_document(
    result: Result | MixedOutcome, goodput: Goodput, remedies: Remedies, price: Dollars | None, line: BottomLineDocument
) -> LastingDocument:
    """Return what lasts of a plan's time, on a pool or on a mixture."""
    days, step = days_with_failures(result, goodput), result.step_time.nominal
    chosen = {f.name: getattr(goodput.reliability, f.name) for f in fields(goodput.reliability) if f.name != "profile"}
    return {
        "bottom_line": line,
        "step_time_s": step,
        "tokens_per_s": result.tokens_per_s,
        "days_without_failures": result.days,
        "goodput": goodput.goodput.to_dict(),
        "leans_on": goodput.goodput.leans_on,
        "useful_tokens_per_s": result.tokens_per_s * goodput.goodput.nominal,
        "days": None if days is None else days["nominal"],
        "days_range": days,
        "spare_nodes": goodput.spare_nodes,
        "replicas": goodput.replicas,
        "loss_in_words": describe_loss(goodput),
        "cases": {
            "nominal_failures": case_document(goodput.nominal),
            "many_failures": case_document(goodput.low),
            "few_failures": case_document(goodput.high),
        },
        "choices": [choice_document(name, goodput, choice, price) for name, choice in remedies.choices.items()],
        "intervals": [interval_document(choice, step) for choice in remedies.intervals],
        "spares": [spares_document(count, choice) for count, choice in remedies.spares.items()],
        "price_usd_per_chip_hour": price,
        "reliability": chosen,
    }


def choice_document(name: str, goodput: Goodput, choice: Goodput, price: Dollars | None) -> ChoiceDocument:
    """Return another choice and what it gains in a month over the user's own."""
    hours = goodput.chip_hours(choice.goodput.nominal - goodput.goodput.nominal, MONTH)
    return {
        "name": name,
        "goodput": choice.goodput.to_dict(),
        "chip_hours_in_30_days": hours,
        "money_in_30_days_usd": None if price is None else hours * price,
    }


def interval_document(choice: IntervalChoice, step: float) -> IntervalDocument:
    """Return one checkpoint interval and what it leaves; ``step`` is the time of a step."""
    return {
        "interval_s": choice.interval,
        "steps": max(round(choice.interval / step), 1),
        "goodput": choice.goodput.goodput.to_dict(),
        "writing": choice.writing,
        "is_best": choice.is_best,
        "is_recommended": choice.is_recommended,
    }


def spares_document(count: int, choice: Goodput) -> SparesDocument:
    """Return one number of spare nodes and what it leaves."""
    waiting = choice.nominal.losses.get("waiting_for_spares", 0.0)
    return {"spares": count, "goodput": choice.goodput.to_dict(), "waiting": waiting}


def case_document(case: Expectation) -> CaseDocument:
    """Return one case."""
    return {
        "goodput": case.goodput,
        "standard_error": case.standard_error,
        "losses": dict(case.losses),
        "mtbf_s": case.mtbf,
        "recovery_time_s": case.recovery_time,
        "save_time_s": case.save_time,
        "drain_time_s": case.drain_time,
        "checkpoint_intervals_s": dict(case.intervals),
        "spares": case.spares,
        "spares_needed": case.spares_needed,
        "failures_per_day": dict(case.failures),
    }


def profile_document(profile: FailureProfile) -> FailureProfileDocument:
    """Return a failure profile with the source of each figure."""
    figures = {
        name: value for name in profile.__dataclass_fields__ if isinstance(value := getattr(profile, name), Figure)
    }
    keys = {key.strip() for figure in figures.values() for key in figure.source.split(",")}
    return {
        "name": profile.name,
        "title": profile.title,
        "notes": list(profile.notes),
        "figures": {name: _figure_document(figure) for name, figure in figures.items()},
        "causes": [
            {"name": c.name, "component": c.component, "per": c.per, "count": c.count.value, "source": c.count.source}
            for c in profile.causes
        ],
        "rungs": [
            {"name": r.name, "detection": _figure_document(r.detection), "restart": _figure_document(r.restart)}
            for r in profile.rungs
        ],
        "sources": [publication_document(source) for key in sorted(keys) for source in find_sources(key)],
    }


def _figure_document(figure: Figure) -> ProfileFigureDocument:
    return {**figure_document(figure), "source": figure.source}
