"""What a mixture of unlike chips means: useful throughput of the whole, power, money and floor of its parts together.

It has the figures of :class:`tianji.comparison.assessment.Assessment` by the same names, so that measures, ratios and verdicts
take either. Each part is paid for by its own price, with spares of its own chip; a part that the plan leaves idle is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from tianji.comparison.assessment import Assumptions, PaidPool, pay_for
from tianji.hardware import Pool
from tianji.prediction.goodput import Goodput
from tianji.ranges import Range
from tianji.search.mixed_goodput import expect_mixed_goodput, find_spares
from tianji.search.mixed_planner import MixedOutcome
from tianji.units import DAY, HOUR, TERA


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
        tokens = self.outcome.job.tokens
        energy = self._bill(TERA / self.useful, lambda part, seconds: _energy(part, seconds, self.given))
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


def _total(ranges: Iterable[Range | None]) -> Range | None:
    known: list[Range] = []
    for one in ranges:
        if one is None:
            return None
        known.append(one)
    return Range.total(known)
