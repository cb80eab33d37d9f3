"""How sure the choice of a plan is, in a document."""

from __future__ import annotations

from typing import Any, TypedDict

from tianji.parallel.layouts import format_layout
from tianji.parallel.strategy import Strategy
from tianji.reliability import Reliability
from tianji.report.documents.plan_result import PlanResultDocument, plan_result_document
from tianji.report.documents.ranges import RangeDocument, range_document
from tianji.search import Outcome
from tianji.search.choice import CLOSE, NearEquals, Settling, Standing


class StandingDocument(TypedDict):
    """How one plan stands among all that were weighed."""

    chance: float
    """Of being among the best, within ``close_ratio`` of the fastest."""
    expected_regret: float
    """Mean over all worlds of its step time over that of the world's fastest, less 1."""


class NearEqualsDocument(TypedDict):
    """Layouts whose expected regret is larger than plan 1's by at most ``within_ratio``, plan 1 among them."""

    count: int
    within_ratio: float
    shared: dict[str, Any]
    """Strategy fields that are alike in all of them."""
    ranges: dict[str, list[Any]]
    """The values of the others."""


class LayoutDocument(TypedDict):
    """A layout to run."""

    layout: str
    strategy: dict[str, Any]


class SettlingDocument(TypedDict):
    """The two measurements after which the choice is surest."""

    runs: list[LayoutDocument]
    expected_regret: float
    """Of the choice after both; that of plan 1 is what it is now."""


class PlanChoiceDocument(TypedDict):
    """Choosing under doubt: constants are drawn from their posterior, and layouts err."""

    plans: list[StandingDocument | None]
    """In the order of ``plans``; null for a variant of a layout that stands before it."""
    optimism_ratio: float
    """By how much the step time of plan 1 is too small for having been chosen as the best of so many."""
    corrected_step_time_s: float
    corrected_step_time_range_s: RangeDocument
    """80 % range."""
    near_equals: NearEqualsDocument
    settling: SettlingDocument | None
    """null where no measurement would change the choice."""
    close_ratio: float
    weighed: int
    """Unlike layouts."""
    worlds: int
    """Draws of what the step times may be."""
    seed: int


class MicroBatchDocument(TypedDict):
    """Where plan 1 has more sequences in a micro-batch than were ever measured of such a model."""

    wanted: int
    measured: int | None
    """The most in a run of this class, with at least half of the parameters and as long sequences; null: there is no such run."""
    run: str | None
    source: str | None
    within: PlanResultDocument | None
    """The best plan with at most as many (1 without such a run); null where none fits."""
    slower_by_ratio: float | None
    """By how much that plan is slower than plan 1."""


def choice_document(outcome: Outcome) -> PlanChoiceDocument | None:
    """Return how sure the choice of the best plan is, or None where nothing is known of it."""
    choice = outcome.choice
    if choice is None:
        return None
    standings = dict(zip(choice.strategies, choice.standings, strict=True))
    return {
        "plans": [_standing(standings.get(result.plan.strategy)) for result in outcome.results],
        "optimism_ratio": choice.optimism,
        "corrected_step_time_s": outcome.expected_step_time,
        "corrected_step_time_range_s": range_document(outcome.best.step_time, 1.0 + choice.optimism),
        "near_equals": _near_equals(choice.near),
        "settling": None if choice.settling is None else _settling(choice.settling),
        "close_ratio": CLOSE,
        "weighed": len(choice.strategies),
        "worlds": choice.worlds,
        "seed": choice.seed,
    }


def _standing(standing: Standing | None) -> StandingDocument | None:
    return None if standing is None else {"chance": standing.chance, "expected_regret": standing.regret}


def _near_equals(near: NearEquals) -> NearEqualsDocument:
    ranges = {name: list(values) for name, values in near.ranges.items()}
    return {"count": near.count, "within_ratio": near.within, "shared": dict(near.shared), "ranges": ranges}


def _settling(settling: Settling) -> SettlingDocument:
    return {"runs": [_layout(settling.first), _layout(settling.other)], "expected_regret": settling.regret}


def _layout(strategy: Strategy) -> LayoutDocument:
    return {"layout": format_layout(strategy), "strategy": strategy.as_dict()}


def micro_batch_document(outcome: Outcome, reliability: Reliability | None = None) -> MicroBatchDocument | None:
    """Return the largest measured micro-batch beside that of the best plan, where the best plan's is larger."""
    note = outcome.micro_batch
    if note is None:
        return None
    record, within, best = note.record, note.within, outcome.best
    return {
        "wanted": best.plan.strategy.micro_batch_size,
        "measured": None if record is None else int(record.value),
        "run": None if record is None else record.run,
        "source": None if record is None else record.source,
        "within": None if within is None else plan_result_document(within, reliability),
        "slower_by_ratio": None if within is None else within.step_time.nominal / best.step_time.nominal - 1,
    }
