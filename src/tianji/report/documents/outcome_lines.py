"""The bottom line of what was counted, measured or operated, in the three lines that every answer begins with."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tianji.backends.explanation import Explanation
from tianji.comparison import Assumptions
from tianji.comparison.smallest_size import SmallestSize
from tianji.formatting import count_noun, format_duration, format_number, format_percent, format_range
from tianji.operation.accounting import Account
from tianji.ranges import TENTH
from tianji.report.documents.bottom_line import amounts_of_plan
from tianji.report.documents.evidence_lines import PROMISED
from tianji.report.documents.three_lines import BottomLineDocument, say_chance
from tianji.result import Result

CLOSE = 0.05
"""Share by which a measured step may differ from that of an endless run and still count as the same."""
OF_RUN = "days and the bill of the run: `tianji plan` with --chips and --tokens"
OF_PLAN = "days, cost and power are those of the plan: CPU processes stood in for its chips"


def smallest_line(sizes: Sequence[SmallestSize]) -> BottomLineDocument:
    """Return the bottom line of the smallest numbers of chips: that of the first task and pool that has one."""
    sized = [size for size in sizes if size.results]
    if not sized:
        return {
            "answer": f"No: no number of chips that was tried holds {sizes[0].job.model.name}.",
            "amounts": "days, cost and power are not known without a plan",
            "hinge": f"That none fits: over 99 %. It hangs on the memory of a chip ({sizes[0].reason}).",
            "chance": 1.0,
        }
    numbers = "; ".join(f"{_name_task(size)}: {_chips(size)}" for size in sizes)
    first = sized[0].results[0]
    chance = 1.0 - (first.misfit_chance or 0.0)
    return {
        "answer": f"Yes: {sizes[0].job.model.name} trains on few chips. {numbers}.",
        "amounts": f"{_name_task(sized[0])}: {amounts_of_plan(first, Assumptions(), OF_RUN)}",
        "hinge": f"That the smallest fits: {say_chance(chance)}. It hangs on the memory of the fullest chip, of which"
        f" {format_percent(1.0 - first.memory_total / first.memory_limit, 0)} stays free.",
        "chance": chance,
    }


def _name_task(size: SmallestSize) -> str:
    engine = f" under {size.runs_on}" if size.runs_on else ""
    return f"{size.job.task.name} on {size.pool.name}{engine}"


def _chips(size: SmallestSize) -> str:
    """Return the smallest number, and the first that is sure to fit where that is another."""
    if not size.results:
        return "none"
    few = size.results[0].plan.strategy.chips
    sure = next((r.plan.strategy.chips for r in size.results if (r.misfit_chance or 0.0) < 1.0 - PROMISED), None)
    many = f", {sure:,} to be sure" if sure and sure != few else "" if sure else ", and more to be sure"
    return f"{count_noun(few, 'chip')}{many}"


def run_line(result: Result, *, stands_in: bool) -> BottomLineDocument:
    """Return the bottom line of a real run: that it trained, how fast, and how near a longer run would come."""
    facts = result.measurement
    assert facts is not None
    losses, chips = facts.losses, result.plan.strategy.chips
    learnt = bool(losses) and math.isfinite(losses[-1]) and losses[-1] < losses[0]
    time = f"{format_range(result.step_time, format_duration)} a step"
    loss = f"the loss went from {losses[0]:.4f} to {losses[-1]:.4f}" if losses else "no loss was written"
    ranks = f"{count_noun(chips, 'rank')}"
    answer = f"Yes: {ranks} trained; {time}; {loss}." if learnt else f"Open: {ranks} ran, {time}; {loss}."
    chance, count = _chance_of_median(facts.noise, len(facts.step_times)), len(facts.step_times)
    return {
        "answer": answer,
        "amounts": OF_PLAN if stands_in else amounts_of_plan(result, Assumptions()),
        "hinge": f"That a longer run takes the same step, within {format_percent(CLOSE, 0)}: {say_chance(chance)}. It hangs on"
        f" the noise of {count_noun(count, 'step')} ({format_percent(facts.noise)}); --steps takes more.",
        "chance": chance,
    }


def _chance_of_median(noise: float, steps: int) -> float:
    """Return the chance that a median of so many steps is near that of endlessly many: its error is 1.25 σ / √n."""
    if steps < 2:
        return 0.5
    return 1.0 if not noise else math.erf(CLOSE / (1.2533 * noise / math.sqrt(steps)) / math.sqrt(2.0))


def explanation_line(explanation: Explanation) -> BottomLineDocument:
    """Return the bottom line of a run beside its prediction: inside the range or not, and the largest part of the gap."""
    predicted, measured = explanation.predicted.step_time, explanation.measured.step_time.nominal
    is_inside = predicted.low <= measured <= predicted.high
    gap = measured - predicted.nominal
    largest = max(explanation.terms, key=lambda term: term.gap * (1 if gap > 0 else -1), default=None)
    basis = f"{largest.name} ({largest.gap:+.3g} s of {gap:+.3g} s)" if largest else "the whole step"
    chance = _chance_so_far(measured, predicted.low, predicted.nominal, predicted.high)
    sure = (
        "How sure is not known, as the prediction has no range"
        if chance is None else f"A run so far from a prediction that holds: {say_chance(chance)}"
    )  # fmt: skip
    return {
        "answer": f"{'Yes' if is_inside else 'No'}: the run took {explanation.ratio:.3g} times the predicted step, which is"
        f" {'inside' if is_inside else 'outside'} its 80 % range.",
        "amounts": f"{format_duration(measured)} a step where {format_range(predicted, format_duration)} was predicted;"
        f" {explanation.measured.tokens_per_s:,.0f} tokens/s",
        "hinge": f"{sure}. It hangs on {basis}.",
        "chance": chance,
    }


def _chance_so_far(measured: float, low: float, nominal: float, high: float) -> float | None:
    """Return how often a run lies at least so far from its prediction, where the 80 % range is right; None without a range."""
    end = high if measured > nominal else low
    if end == nominal:
        return None
    far = abs(math.log(measured / nominal) / math.log(end / nominal)) * TENTH
    return math.erfc(far / math.sqrt(2.0))


def operation_line(state: str, account: Account, reason: str = "") -> BottomLineDocument:
    """Return the bottom line of an operation: how it stands, what its time went into, and what cost most."""
    ended = {
        "done": "Yes: the job is done",
        "failed": "No: the operation was given up",
        "stopped": "Open: it was stopped",
    }
    why = f" ({reason})" if reason else ""
    steps = f"{account.steps:,} steps last, {account.lost_steps:,} were done again"
    failures = count_noun(account.failures, "failure")
    left = max(1.0 - account.goodput, 0.0)
    hinge = (
        f"All of it is measured: no chance is in it. It hangs on {failures} and the starts, which with their"
        f" recoveries took {format_percent(left)} of the time ({format_number(account.recovery_time)} s to recover)."
        if account.steps
        else "No step was trained: the events in its folder tell what it waited for."
    )
    return {
        "answer": f"{ended.get(state, f'Open: it is {state}')}{why}; {steps}.",
        "amounts": f"{format_duration(account.seconds)} in all, {format_duration(account.step_time)} a step; goodput"
        f" {format_percent(account.goodput)}; cost and power are not measured",
        "hinge": hinge,
        "chance": None,
    }
