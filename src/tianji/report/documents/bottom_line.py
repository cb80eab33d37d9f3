"""The bottom line of an answer: yes or no and how many; days, money and power; what it hangs on and how sure it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tianji.comparison import Assumptions, Comparison, Replacement, Sizing
from tianji.comparison.assessment import assess
from tianji.comparison.measures import MWH, Assessed
from tianji.comparison.mixed_assessment import assess_mixture
from tianji.comparison.replacement import SPENT, describe_answer
from tianji.comparison.side_by_side import find_leaders, format_pool, rank_by_speed
from tianji.errors import InputError
from tianji.formatting import format_days, format_duration, format_ends, format_number, format_percent, format_range
from tianji.prediction.goodput import Goodput
from tianji.ranges import Range, chance_of_at_least
from tianji.report.documents.three_lines import SURE, BottomLineDocument, say_chance
from tianji.result import Result
from tianji.search.mixed_planner import MixedOutcome
from tianji.units import DAY, HOUR, KILO, MEGA, Dollars, Seconds, show

NOT_GIVEN = "days and the bill of the run: give --tokens"
PAID = {"rent": " of rent", "own": " of owning it for that time"}
"""What the money of a run is, by the basis of its price; what buying takes at once is another sum."""


def plan_line(result: Result, given: Assumptions, optimism: float | None = None) -> BottomLineDocument:
    """Return the bottom line of one plan: whether it fits, and its step; prices and failures are as they are given.

    ``optimism`` is the share by which the step of a plan that was chosen among many is too small.
    """
    chips, step = result.plan.strategy.chips, result.step_time
    time = f"{format_range(step, format_duration)} a step"
    if optimism is not None:
        time += f", {_corrected(result, given, 1.0 + optimism)} corrected for having been chosen"
    chance = 1.0 - result.misfit_chance
    verdict = f"Yes: {chips:,} chips hold it" if result.fits else f"No: {chips:,} chips do not hold it"
    basis = f"the step time ({step.leans_on})" if step.leans_on else "the step time, a lower bound without a range"
    return {
        "answer": f"{verdict}; {time}.",
        "amounts": amounts_of_plan(result, given),
        "hinge": f"That it fits: {say_chance(chance)}. It hangs on {basis}.",
        "chance": chance,
    }


def _corrected(result: Result, given: Assumptions, longer: float) -> str:
    """Return the step, and the days with failures where tokens are given, so many times as long."""
    step = format_duration(result.step_time.nominal * longer)
    if not result.plan.job.tokens:
        return step
    try:
        days = assess(result, given).days
    except InputError:
        return step
    return f"{step} and {format_days(days.nominal * longer)} days" if days else step


def goodput_line(result: Result, goodput: Goodput, price: Dollars | None, every: Seconds = 0.0) -> BottomLineDocument:
    """Return the bottom line of a run under failures; ``price`` is that of a chip-hour, ``every`` the recommended interval."""
    chips, spares = result.plan.strategy.chips, goodput.spare_nodes
    nodes = "no spare node" if not spares else f"{spares:,} spare {'node' if spares == 1 else 'nodes'}"
    share = format_range(goodput.goodput, format_percent)
    chance = 1.0 - result.misfit_chance
    rents = {} if price is None else {result.plan.pool.name: price}
    save = f"; save every {show(every, 'time')}" if every else ""
    verdict = f"Yes: {chips:,} chips and {nodes} keep {share} of the time{save}."
    if not result.fits:
        verdict = f"No: {chips:,} chips do not hold it; if they did, {share} of the time would last."
    basis = goodput.goodput.leans_on or goodput.profile.title
    return {
        "answer": verdict,
        "amounts": amounts_of_plan(result, Assumptions(rents=rents, reliability=goodput.reliability)),
        "hinge": f"That it fits: {say_chance(chance)}. The goodput hangs on the rate of failures ({basis}).",
        "chance": chance,
    }


def mixed_goodput_line(outcome: MixedOutcome, goodput: Goodput, price: Dollars | None) -> BottomLineDocument:
    """Return the bottom line of a mixture under failures; ``price`` is that of a chip-hour of any part."""
    spares = goodput.spare_nodes
    nodes = "no spare node" if not spares else f"{spares:,} spare {'node' if spares == 1 else 'nodes'}"
    rents = {} if price is None else {part.name: price for part in outcome.mixture.parts}
    profiles = " and ".join(profile.name for profile in goodput.profiles)
    return {
        "answer": f"Yes: {outcome.chips:,} chips and {nodes} keep {format_range(goodput.goodput, format_percent)} of the time.",
        "amounts": _amounts_of_mixture(outcome, Assumptions(rents=rents, reliability=goodput.reliability)),
        "hinge": f"A failure in any part stops all of it: no chance is in that. It hangs on the rates of failures ({profiles}).",
        "chance": None,
    }


def _amounts_of_mixture(outcome: MixedOutcome, given: Assumptions) -> str:
    try:
        a = assess_mixture(outcome, given)
    except InputError as error:
        return f"days, cost and power are not known: {error}"
    return amounts(a) if a.days else f"{amounts(a)}; {NOT_GIVEN}"


def comparison_line(comparison: Comparison) -> BottomLineDocument:
    """Return the bottom line of pools side by side: which leads, and the ratio of the two fastest as tables have it."""
    every = comparison.assessments
    best, second = rank_by_speed(every)[:2]
    later, earlier = find_leaders(every)
    one, other = every[best], every[second]
    ratio = comparison.ratio("useful_tokens_per_day", later, earlier) or one.useful / other.useful
    times = f"{format_range(ratio, _two)} times"
    chance = chance_of_at_least(one.useful, other.useful)
    word = "Open: nominally" if ratio.low <= 1 <= ratio.high else "Yes:"
    of = "its useful tokens" if best == earlier else f"the useful tokens of {format_pool(other)}"
    gives = f"{'it' if best == later else format_pool(every[later])} gives {times} {of}"
    return {
        "answer": f"{word} {format_pool(one)} leads; {gives}.",
        "amounts": f"{format_pool(one)}: {amounts(one)}; {format_pool(other)}: {amounts(other)}",
        "hinge": f"{format_pool(one)} ahead: {say_chance(chance)}. It hangs on {_widest(one, other)}.",
        "chance": chance,
    }


def replacement_line(replacement: Replacement) -> BottomLineDocument:
    """Return the bottom line of a replacement: how many chips, and whether they suffice."""
    first, other = replacement.first, replacement.other
    if replacement.match in SPENT:
        spent = SPENT[replacement.match]
        chance, word = chance_of_at_least(spent(first), spent(other)), f"no more {replacement.match}"
    else:
        wanted = first.useful if replacement.target is None else Range.exactly(replacement.target)
        chance, word = chance_of_at_least(other.useful, wanted), "suffice"
    return {
        "answer": f"Yes: {describe_answer(replacement)}",
        "amounts": f"{format_pool(other)}: {amounts(other)}",
        "hinge": f"{other.offered:,} {word}: {say_chance(chance)}. It hangs on {_widest(first, other)}.",
        "chance": chance,
    }


def sizing_line(sizing: Sizing) -> BottomLineDocument:
    """Return the bottom line of a sizing: how many chips, and whether they are in time."""
    best, chips = sizing.best, sizing.best.pool.chips
    units = best.floor_space
    pool = f"{chips:,} chips of {best.pool.name} ({units.units:,} × {units.unit_chips:,}, spares counted)"
    late = f"{sizing.cautious:,} chips" if sizing.cautious else "no number of chips"
    answer = f"Yes: {pool} finish in time; in the slow case too: {late}."
    if not sizing.is_met:
        answer = f"No: it cannot be done as asked; the nearest is {pool}."
    target = Range.exactly(best.result.plan.job.tokens / (sizing.days * DAY))
    chance = chance_of_at_least(best.useful, target)
    return {
        "answer": answer,
        "amounts": f"{amounts(best)}; {sizing.days:g} days allowed",
        "hinge": f"{chips:,} in time: {say_chance(chance)}. It hangs on {_speed(best)}.",
        "chance": chance,
    }


def mixture_line(outcome: MixedOutcome, given: Assumptions) -> BottomLineDocument:
    """Return the bottom line of a mixture: whether to mix, and its step.

    The chance is that of the choice, from the ranges of both ways taken for independent; they share their constants, so that it
    is at least so high.
    """
    time, taken = f"{format_range(outcome.step_time, format_duration)} a step", outcome.taken_alone
    if taken is None:
        how = "side by side" if outcome.choice == "batches" else "in one pipeline"
        answer = f"Yes: mix all {outcome.chips:,} chips, {how}; {time}."
    else:
        pool = taken.plan.pool
        answer = f"No: do not mix; {outcome.chips:,} × {pool.name} alone, {time}."
    basis = f"the step time ({outcome.step_time.leans_on})" if outcome.step_time.leans_on else "a lower bound"
    chance, what = _chance_of(outcome), "Mixing gains" if taken is None else "Mixing loses"
    least = "" if chance is None else f"{'' if chance > SURE else 'at least '}{say_chance(chance)}"
    sure = f"{what}: {least}" if least else "No other way fits"
    return {
        "answer": answer,
        "amounts": _amounts_of_mixture(outcome, given),
        "hinge": f"{sure}. It hangs on {basis}.",
        "chance": chance,
    }


def _chance_of(outcome: MixedOutcome) -> float | None:
    """Return the chance that the way to take is faster than the best of the other kind; None where there is none."""
    if outcome.taken_alone is None:
        alone = [part.result.step_time for part in outcome.alone if part.result]
        return min((chance_of_at_least(step, outcome.step_time) for step in alone), default=None)
    times = [way.step_time for way in (outcome.division, outcome.chain) if way is not None]
    relative = outcome.step_time / outcome.step_time.nominal
    return min((chance_of_at_least(relative * seconds, outcome.step_time) for seconds in times), default=None)


class _Amounts(Protocol):
    """What has days, money and power: a pool or a mixture with its plan."""

    @property
    def days(self) -> Range | None: ...
    @property
    def cost_of_run(self) -> Range | None: ...
    @property
    def cost_per_hour(self) -> Range | None: ...
    @property
    def site_power(self) -> Range | None: ...
    @property
    def energy_of_run(self) -> Range | None: ...
    @property
    def capital(self) -> Range | None: ...
    @property
    def bought_words(self) -> str: ...
    @property
    def basis(self) -> str: ...


def amounts(a: _Amounts) -> str:
    """Return days, money and power of a plan; without a number of tokens the money of a day."""
    days = f"{format_days(a.days.nominal)} days{_ends(a.days, format_days)}" if a.days else ""
    if cost := a.cost_of_run:
        money = f"{_scaled(cost, 'USD')}{PAID.get(a.basis, '')}"
    elif day := a.cost_per_hour:
        money = f"{_scaled(day * (DAY / HOUR), 'USD')} a day"
    else:
        money = "cost not known, no price is published"
    power = _scaled(a.site_power, "W") if a.site_power else "power not known, none is published"
    energy = f"{format_number(a.energy_of_run.nominal / MWH)} MWh" if a.energy_of_run else ""
    bought = f" ({a.bought_words})" if a.bought_words else ""
    capital = f"{_scaled(a.capital, 'USD')} to buy it{bought}" if a.days and a.capital else ""
    return ", ".join(part for part in (days, money, energy, power, capital) if part)


def _scaled(span: Range, unit: str) -> str:
    """Return a range in millions, in thousands below a tenth of a million, and in ones below a thousand.

    >>> _scaled(Range(1.5e6, 6.6e6, 35e6), "USD"), _scaled(Range.exactly(58e3), "W"), _scaled(Range.exactly(62.4), "USD")
    ('6.6 M USD (1.5 to 35)', '58 kW', '62.4 USD')
    """
    scale, letter = (MEGA, "M") if span.nominal >= MEGA / 10 else (KILO, "k") if span.nominal >= KILO else (1.0, "")
    shown = span * (1 / scale)
    gap = " " if unit == "USD" and letter else ""
    return f"{format_number(shown.nominal)} {letter}{gap}{unit}{_ends(shown, format_number)}"


def _ends(span: Range, form: Callable[[float], str]) -> str:
    return "" if span.is_exact else f" ({format_ends(span, form)})"


def amounts_of_plan(result: Result, given: Assumptions, asks: str = NOT_GIVEN) -> str:
    """Return days, money and power of one plan; without a number of tokens, how it is asked for."""
    try:
        a = assess(result, given)
    except InputError as error:
        return f"days, cost and power are not known: {error}"
    return amounts(a) if a.days else f"{amounts(a)}; {asks}"


def _widest(*pools: Assessed) -> str:
    """Return the speed that is known worst."""
    return _speed(max(pools, key=lambda a: a.tokens_per_s.high / a.tokens_per_s.low))


def _speed(a: Assessed) -> str:
    span, basis = a.tokens_per_s * (1 / a.tokens_per_s.nominal), a.step_time.leans_on
    why = f"; {basis}" if basis else ""
    return f"the speed of {format_pool(a)} ({format_ends(span, _two)} times the nominal{why})"


def _two(value: float) -> str:
    return f"{value:.2f}"
