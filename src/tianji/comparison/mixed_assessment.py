"""What a mixture of unlike chips means: useful throughput of the whole, power, money and floor of its parts together.

It has the figures of :class:`tianji.comparison.assessment.Assessment` by the same names, so that measures, ratios and verdicts
take either. Each part is paid for by its own price, with spares of its own chip; a part that the plan leaves idle is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tianji.comparison.assessment import Assumptions, PaidPool, pay_for, price_to_buy
from tianji.comparison.whole_units import describe_bought
from tianji.economics.space import FloorSpace
from tianji.hardware import Pool
from tianji.hardware.mixture import Mixture
from tianji.parallel.layouts import abbreviate_layout
from tianji.perf.memory import usable_memory
from tianji.prediction.goodput import Goodput
from tianji.ranges import Range
from tianji.search.mixed_goodput import expect_mixed_goodput, find_spares
from tianji.search.mixed_planner import MixedOutcome
from tianji.units import DAY, HOUR, TERA
from tianji.workload import Job


@dataclass(frozen=True, slots=True)
class MixedAssessment:
    """The plan of a mixture with all that it means."""

    outcome: MixedOutcome
    goodput: Goodput
    parts: tuple[PaidPool, ...]
    """Those that work."""
    owned: tuple[PaidPool, ...]
    """The same, owned."""
    given: Assumptions

    @property
    def place(self) -> Mixture:
        """What the plan was searched on."""
        return self.outcome.mixture

    @property
    def name(self) -> str:
        """The mixture with its chips; of a sum of pools its parts."""
        if "+" in self.place.name:
            return " + ".join(f"{part.chips:,} × {part.name}" for part in self.place.parts)
        return f"{self.place.name} ({self.place.chips:,} chips)"

    @property
    def job(self) -> Job:
        """What is trained."""
        return self.outcome.job

    @property
    def step_time(self) -> Range:
        """Seconds of a step."""
        return self.outcome.step_time

    @property
    def offered(self) -> int:
        """Chips of all parts, without spares."""
        return self.place.chips

    @property
    def mfu(self) -> Range | None:
        """None: shares of unlike peaks are no share of one."""
        return None

    @property
    def headroom(self) -> float | None:
        """Share of memory that is left on the fullest chip of any part."""
        return min((1.0 - filled / limit for _, filled, limit in self.fullest), default=None)

    @property
    def fullest(self) -> tuple[tuple[str, float, float], ...]:
        """Of each part that works its name, the bytes on its fullest chip, and the usable bytes of one."""
        outcome = self.outcome
        if taken := outcome.taken_alone:
            return ((taken.plan.pool.name, taken.memory_total, taken.memory_limit),)
        if outcome.choice == "stages" and outcome.chain:
            pairs = zip(outcome.chain.pools, outcome.chain.memory, strict=True)
            return tuple((pool.name, memory, usable_memory(pool)) for pool, memory in pairs)
        shares = outcome.division.shares if outcome.division else ()
        return tuple((share.pool.name, share.memory, usable_memory(share.pool)) for share in shares)

    @property
    def layout(self) -> str:
        """The way that is taken, with the layout of each part."""
        outcome = self.outcome
        if taken := outcome.taken_alone:
            return f"{taken.plan.pool.name} alone: {abbreviate_layout(taken.plan.strategy)}"
        if outcome.choice == "stages" and outcome.chain:
            layers = " + ".join(f"{sum(layers)} on {pool.name}" for pool, layers in
                                zip(outcome.chain.pools, outcome.chain.layers, strict=True))  # fmt: skip
            return f"in one pipeline, layers {layers}: {abbreviate_layout(outcome.chain.strategy)}"
        shares = outcome.division.shares if outcome.division else ()
        each = (f"{s.pool.name} {s.batch:,} sequences, {abbreviate_layout(s.strategy)}" for s in shares)
        return f"side by side: {'; '.join(each)}"

    @property
    def bill(self) -> None:
        """None: each part has a bill of its own."""
        return None

    @property
    def energy(self) -> Range | None:
        """Joules of 10¹² useful tokens, with cooling."""
        return self._bill(TERA / self.useful, lambda part, seconds: _energy(part, seconds, self.given))

    @property
    def carbon(self) -> Range | None:
        """Kilograms of CO2 of 10¹² useful tokens."""
        return self._bill(TERA / self.useful, lambda part, seconds: _carbon(part, seconds, self.given))

    @property
    def busy_power(self) -> Range | None:
        """Watts in training, before cooling."""
        return _total(None if part.power is None else part.power.busy for part in self.parts)

    @property
    def idle_power(self) -> Range | None:
        """Watts of chips that wait, before cooling."""
        return _total(None if part.power is None else part.power.idle for part in self.parts)

    @property
    def hour_price(self) -> Range | None:
        """Dollars of one chip-hour, over all parts."""
        known = [(part.chips, part.chip_hour.price) for part in self.parts]
        whole = _total(None if price is None else price * chips for chips, price in known)
        return None if whole is None else whole * (1.0 / self.chips)

    @property
    def basis(self) -> str:
        """``rent`` or ``own``, where all parts are alike; else ``unknown``."""
        bases = {part.chip_hour.basis for part in self.parts}
        return bases.pop() if len(bases) == 1 else "unknown"

    @property
    def floor_space(self) -> FloorSpace:
        """What the parts take together; a unit is no product of one kind."""
        spaces = [part.floor_space for part in self.parts]
        cabinets, area, optics = (_sum([getattr(s, name) for s in spaces]) for name in ("cabinets", "area", "optics"))
        return FloorSpace(
            sum(s.units for s in spaces), 0, None if cabinets is None else int(cabinets), area,
            None if optics is None else int(optics),
        )  # fmt: skip

    @property
    def idle(self) -> str:
        """Which chips stand idle, in words."""
        left = self.offered - self.outcome.chips
        if not left:
            return ""
        return f"{left:,} of the {self.offered:,} chips stand idle, as mixing gains nothing: {self.outcome.verdict}".rstrip(
            "."
        )

    @property
    def free(self) -> str:
        """How much of the last units stays free, in words; empty where nothing does."""
        return "; ".join(f"{part.pool.name}: {part.free}" for part in self.parts if part.free)

    @property
    def bought_words(self) -> str:
        """What the capital expense buys, in a few words, where much of it stays free; else empty."""
        return describe_bought(self.parts, partial(price_to_buy, given=self.given))

    @property
    def own_or_rent(self) -> str:
        """Empty: it is said of each pool."""
        return ""

    def under(self, given: Assumptions) -> MixedAssessment:
        """Return the same plan under other assumptions."""
        return assess_mixture(self.outcome, given)

    @property
    def chips(self) -> int:
        """Chips that are paid for, spares among them."""
        return sum(part.chips for part in self.parts)

    @property
    def tokens_per_s(self) -> Range:
        """Tokens a second while nothing fails."""
        return self.outcome.job.tokens_per_step / self.outcome.step_time

    @property
    def useful(self) -> Range:
        """Tokens a second that last."""
        return self.tokens_per_s * self.goodput.goodput

    @property
    def days(self) -> Range | None:
        """Days of the job's tokens, failures included; None when the job states none."""
        tokens = self.outcome.job.tokens
        return tokens / self.useful * (1 / DAY) if tokens else None

    @property
    def site_power(self) -> Range | None:
        """Watts that the sites must deliver, with cooling; None where those of a part are not known."""
        return _total(None if part.power is None else part.power.site for part in self.parts)

    @property
    def cost(self) -> Range | None:
        """Dollars of 10¹² useful tokens."""
        return self._cost_in(TERA / self.useful)

    @property
    def cost_per_hour(self) -> Range | None:
        """Dollars of one hour of all parts."""
        return self._cost_in(Range.exactly(HOUR))

    @property
    def cost_of_run(self) -> Range | None:
        """Dollars of the job's tokens; None without a price, or where the job states no tokens."""
        tokens, cost = self.outcome.job.tokens, self.cost
        return cost * (tokens / TERA) if tokens and cost is not None else None

    @property
    def energy_of_run(self) -> Range | None:
        """Joules of the job's tokens, with cooling."""
        tokens, energy = self.outcome.job.tokens, self.energy
        return energy * (tokens / TERA) if tokens and energy is not None else None

    @property
    def capital(self) -> Range | None:
        """Dollars of whole units, spares among them: of rented parts what owning them takes; None without a price."""
        return _total(part.capital for part in self.owned)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Figures that nobody published, and how to state them."""
        return tuple(dict.fromkeys(text for part in self.parts for text in part.unknown))

    def _cost_in(self, seconds: Range) -> Range | None:
        return self._bill(seconds, lambda part, time: _cost(part, time, self.given))

    def _bill(self, seconds: Range, of: Callable[[PaidPool, Range], Range | None]) -> Range | None:
        return _total(of(part, seconds) for part in self.parts)


def assess_mixture(outcome: MixedOutcome, assumptions: Assumptions | None = None) -> MixedAssessment:
    """Return what the plan of a mixture means; a part that stands idle counts for nothing.

    Raises IllegalStrategyError where a mixture shall lose a replica and not the job, EnvelopeError where the closed forms of
    goodput do not hold.
    """
    given = assumptions or Assumptions()
    goodput = expect_mixed_goodput(outcome, given.reliability)
    paid = list(_working(outcome, goodput, given))
    parts, owned = (
        tuple(pay_for(pool, nodes, terms) for pool, nodes in paid)
        for terms in (given, replace(given, own=True, rents={}))
    )
    return MixedAssessment(outcome, goodput, parts, owned, given)


def _working(outcome: MixedOutcome, goodput: Goodput, given: Assumptions) -> Iterator[tuple[Pool, int]]:
    """Yield each part that works with its spare nodes; parts of one chip share theirs."""
    if taken := outcome.taken_alone:
        yield taken.plan.pool, goodput.spare_nodes
        return
    spares = find_spares(outcome, given.reliability)
    for pool in outcome.mixture.parts:
        yield pool, spares.pop(pool.chip.name, 0)


def _cost(part: PaidPool, seconds: Range, given: Assumptions) -> Range | None:
    bill = part.bill(seconds, given.electricity)
    return None if bill is None else bill.cost


def _energy(part: PaidPool, seconds: Range, given: Assumptions) -> Range | None:
    bill = part.bill(seconds, given.electricity)
    return None if bill is None else bill.energy


def _carbon(part: PaidPool, seconds: Range, given: Assumptions) -> Range | None:
    bill = part.bill(seconds, given.electricity)
    return None if bill is None else bill.carbon


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _total(ranges: Iterable[Range | None]) -> Range | None:
    known: list[Range] = []
    for one in ranges:
        if one is None:
            return None
        known.append(one)
    return Range.total(known)
