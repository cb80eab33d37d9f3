"""How sure the choice of a plan is, in a view: chance, regret, near-equals, what would settle it, and what was never measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tianji.formatting import format_duration, format_percent
from tianji.parallel.strategy import DEGREES
from tianji.report.documents.choice import MicroBatchDocument, NearEqualsDocument, PlanChoiceDocument, SettlingDocument
from tianji.report.documents.plan import PlanDocument
from tianji.report.documents.plan_result import PlanResultDocument
from tianji.report.view import Cell, Facts, Highlight, Number, ViewSection
from tianji.report.views.cells import ranged, share_of
from tianji.report.views.plan_result import shorten_layout

SHORT = {"micro_batch_size": "mbs"}
"""Fields that layouts call by a shorter name."""
BEYOND = "MFU >: more than the most that was ever measured on this chip, for this class of model and dtype."
"""What the sign in a column of MFUs means."""


def choice_section(document: PlanDocument) -> Iterator[ViewSection]:
    """Yield the section on the choice, where anything is known of it."""
    facts = [*_choice_facts(document), *_never_measured(document)]
    if facts:
        yield ViewSection("How sure the choice is", (Facts(tuple(facts)),))


def choice_lead(document: PlanDocument) -> Iterator[str]:
    """Yield the sentences on the choice that stand before the numbers."""
    if choice := document["choice"]:
        yield f"Chosen under doubt: {describe_standing(choice)}."
        fastest = min((*document["plans"], *document["front"]), key=lambda plan: plan["step_time_s"])
        if fastest["step_time_s"] < document["plans"][0]["step_time_s"]:
            least = format_duration(fastest["step_time_s"])
            yield f"The least estimate is {least} ({fastest['layout']}), which is expected to be the slower choice."
    if document["plans"][0]["measured_mfu"] and document["plans"][0]["is_mfu_beyond_measured"]:
        yield f"{describe_mfu(document['plans'][0])}."


def corrected_highlight(choice: PlanChoiceDocument | None) -> tuple[Highlight, ...]:
    """Return the step time that is corrected for having been chosen, where it is known."""
    if choice is None:
        return ()
    note = f"for having been chosen among {choice['weighed']:,} unlike layouts"
    return (Highlight("step time, corrected", ranged(choice["corrected_step_time_range_s"], format_duration), note),)


def standing_cells(choice: PlanChoiceDocument | None, place: int) -> tuple[Cell, ...]:
    """Return the expected regret and the chance of one plan, for the table of the best."""
    if choice is None:
        return ()
    standing = choice["plans"][place]
    return ("", "") if standing is None else (share_of(standing["expected_regret"]), share_of(standing["chance"], 0))


def mfu_cell(plan: PlanResultDocument) -> Number:
    """Return the MFU, with the highest that was measured where more is promised."""
    record, share = plan["measured_mfu"], share_of(plan["mfu"])
    if record is None or not plan["is_mfu_beyond_measured"]:
        return share
    return replace(share, span=f"> {format_percent(record['mfu'])}")


def describe_standing(choice: PlanChoiceDocument) -> str:
    """Return the chance and the regret of plan 1, and its corrected step time."""
    first = choice["plans"][0]
    assert first is not None  # The first of a choice is always weighed.
    near = format_percent(choice["close_ratio"], 0)
    corrected = format_duration(choice["corrected_step_time_s"])
    return (
        f"{format_percent(first['chance'], 0)} to be within {near} of the fastest, expected regret"
        f" {format_percent(first['expected_regret'])}, {corrected} a step corrected for having been chosen"
    )


def _choice_facts(document: PlanDocument) -> Iterator[tuple[str, str]]:
    choice = document["choice"]
    if choice is None:
        return
    yield (
        "weighed",
        f"{choice['weighed']:,} unlike layouts, each priced in {choice['worlds']:,} draws of constants and layouts' errors"
        f" (seed {choice['seed']})",
    )
    yield "plan 1", describe_standing(choice)
    yield "near-equals", describe_near_equals(choice["near_equals"])
    if settling := choice["settling"]:
        yield "settle it", describe_settling(settling)


def describe_near_equals(near: NearEqualsDocument) -> str:
    """Return near-equal layouts as one group: what differs, and what all share."""
    within = format_percent(near["within_ratio"], 0)
    if near["count"] == 1:
        return f"none: every other layout is expected to be more than {within} slower"
    ranges = ", ".join(f"{SHORT.get(name, name)} {_span(values)}" for name, values in near["ranges"].items())
    shared = " ".join(_shared_words(near["shared"]))
    return f"any of {ranges} within {within}: {near['count']} layouts" + (f", all with {shared}" if shared else "")


def _span(values: Sequence[Any]) -> str:
    """Return the ends of some numbers, or all of some words."""
    if isinstance(values[0], str):
        return " or ".join(values)
    return f"{values[0]}-{values[-1]}"


def _shared_words(shared: Mapping[str, Any]) -> Iterator[str]:
    for name, value in shared.items():
        if name in DEGREES:
            if value > 1:
                yield f"{name}{value}"
        elif name == "recompute":
            yield f"{value}-recompute" if value != "none" else "no recompute"
        elif name == "schedule":
            if shared.get("pp") != 1:
                yield str(value)
        else:
            yield f"{SHORT.get(name, name)}{value}"


def describe_settling(settling: SettlingDocument) -> str:
    """Return the two layouts to run, and what is left of the regret after them."""
    one, other = (shorten_layout(run["strategy"]) for run in settling["runs"])
    return f"run {one} and {other}: the expected regret falls to {format_percent(settling['expected_regret'])}"


def _never_measured(document: PlanDocument) -> Iterator[tuple[str, str]]:
    if document["plans"][0]["is_mfu_beyond_measured"]:
        yield "MFU", describe_mfu(document["plans"][0])
    if note := document["micro_batch"]:
        yield "micro-batch", describe_micro_batch(note)


def describe_mfu(plan: PlanResultDocument) -> str:
    """Return how the MFU of a plan stands beside the highest that was measured."""
    record = plan["measured_mfu"]
    if record is None:
        return "no MFU was ever measured on this chip for this class of model and dtype"
    return (
        f"Plan 1 promises MFU {format_percent(plan['mfu'])}; the most ever measured on this chip, for this class of model and"
        f" dtype, is {format_percent(record['mfu'])} ({record['run']}, {record['chips']:,} chips)"
    )


def describe_micro_batch(note: MicroBatchDocument) -> str:
    """Return the largest measured micro-batch, and the best plan within it."""
    known = "no run of such a model was measured"
    if note["measured"] is not None:
        known = f"the largest measured of such a model is {note['measured']} ({note['run']})"
    within, slower = note["within"], note["slower_by_ratio"]
    if within is None or slower is None:
        return f"plan 1 wants {note['wanted']} sequences; {known}, and no plan fits within it"
    return (
        f"plan 1 wants {note['wanted']} sequences; {known}. The best plan within it, {shorten_layout(within['strategy'])}, takes"
        f" {format_duration(within['step_time_s'])} ({format_percent(slower)} longer)"
    )
