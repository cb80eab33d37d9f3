"""What one plan on one pool means: useful throughput, power, money, floor, carbon, each with its range."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from tianji.catalog import FirmQuote, Ownership, PowerFigures, Site, find_firm_quote, load_site, site_of
from tianji.comparison.whole_units import describe_bought, describe_free
from tianji.economics import (
    Bill,
    ChipHour,
    FloorSpace,
    PoolPower,
    ask_power,
    find_chip_hour,
    find_floor_space,
    find_power,
    price_run,
)
from tianji.errors import UnknownFigureError
from tianji.formatting import format_ends
from tianji.hardware import Pool
from tianji.prediction.goodput import Goodput, expect_goodput
from tianji.ranges import Range
from tianji.reliability import Reliability
from tianji.result import Result
from tianji.units import DAY, HOUR, TERA
from tianji.workload import Job

QUOTED = ("rent", "unit", "chip")
"""The kinds of firm quotes in the order in which they count."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a user may state of prices, power and failures; what is left out is the catalog's.

    ``rents`` (dollars of one chip-hour), ``chip_prices`` (dollars), ``unit_prices`` (dollars of one unit of a pool, servers and
    network included) and ``powers`` (watts of one chip with its share of all else) are by the name of a chip or a pool.
    """

    site: str | None = None
    """None: each pool stands at its vendor's home."""
    rents: Mapping[str, float] = field(default_factory=dict)
    chip_prices: Mapping[str, float] = field(default_factory=dict)
    unit_prices: Mapping[str, float] = field(default_factory=dict)
    powers: Mapping[str, float] = field(default_factory=dict)
    electricity: float | None = None
    """Dollars of 1 kWh."""
    pue: float | None = None
    own: bool = False
    """Buy the pool, in place of renting it."""
    terms: Ownership | None = None
    quotes: tuple[FirmQuote, ...] = ()
    """What sellers are bound to; a price that is stated otherwise goes before."""
    power_figures: PowerFigures | None = None
    reliability: Reliability | None = None
    move_range: Callable[[Result], Result] | None = None
    """What is known of errors nearby, as it moves the range of a predicted plan (:func:`assess_predicted`)."""

    def of(self, given: Mapping[str, float], pool: Pool) -> float | None:
        """Return what the user stated of a pool, or of its chip."""
        return given.get(pool.name, given.get(pool.chip.name))


@dataclass(frozen=True, slots=True)
class Assessment:
    """One plan with all that it means. ``bill`` is that of 10¹² useful tokens."""

    result: Result
    goodput: Goodput
    site: Site
    chips: int
    """Chips that are paid for: those of the pool and the spares."""
    power: PoolPower | None
    chip_hour: ChipHour
    floor_space: FloorSpace
    bill: Bill | None
    hourly_bill: Bill | None
    """The bill of one hour of the whole pool."""
    unknown: tuple[str, ...]
    """Figures that nobody published, and how to supply them."""
    otherwise: PaidPool | None = None
    """The same pool owned where it is rented, and rented where it is owned; None where no price is known of that."""
    given: Assumptions = field(default_factory=Assumptions)

    @property
    def pool(self) -> Pool:
        """The pool of the plan."""
        return self.result.plan.pool

    @property
    def place(self) -> Pool:
        """What the plan was searched on."""
        return self.pool

    @property
    def name(self) -> str:
        """The pool with its chips, like ``1,024 × hgx-h100``."""
        return f"{self.pool.chips:,} × {self.pool.name}"

    @property
    def job(self) -> Job:
        """What is trained."""
        return self.result.plan.job

    @property
    def step_time(self) -> Range:
        """Seconds of a step."""
        return self.result.step_time

    @property
    def offered(self) -> int:
        """Chips of the pool, without spares."""
        return self.pool.chips

    @property
    def mfu(self) -> Range | None:
        """MFU with its range."""
        return self.tokens_per_s * (self.result.mfu / self.result.tokens_per_s)

    @property
    def headroom(self) -> float | None:
        """Share of the fullest chip's memory that is left."""
        return 1.0 - self.result.memory_total / self.result.memory_limit

    @property
    def energy(self) -> Range | None:
        """Joules of 10¹² useful tokens, with the site's cooling."""
        return None if self.bill is None else self.bill.energy

    @property
    def carbon(self) -> Range | None:
        """Kilograms of CO2 of 10¹² useful tokens."""
        return None if self.bill is None else self.bill.carbon

    @property
    def busy_power(self) -> Range | None:
        """Watts in training, before cooling."""
        return None if self.power is None else self.power.busy

    @property
    def idle_power(self) -> Range | None:
        """Watts of chips that wait, before cooling."""
        return None if self.power is None else self.power.idle

    @property
    def hour_price(self) -> Range | None:
        """Dollars of one chip-hour."""
        return self.chip_hour.price

    @property
    def basis(self) -> str:
        """``rent``, ``own`` or ``unknown``."""
        return self.chip_hour.basis

    @property
    def parts(self) -> tuple[PaidPool, ...]:
        """The pools that are paid for."""
        return (PaidPool(self.pool, self.site, self.chips, self.power, self.chip_hour, self.floor_space, self.unknown),)

    def under(self, given: Assumptions) -> Assessment:
        """Return the same plan under other assumptions."""
        return assess(self.result, given)

    @property
    def site_power(self) -> Range | None:
        """Watts that the site must deliver, with cooling; None where no power is known."""
        return None if self.power is None else self.power.site

    @property
    def idle(self) -> str:
        """How many chips stand idle, in words; empty where every chip works."""
        plan = self.result.plan
        if not plan.idle_chips:
            return ""
        return f"{plan.idle_chips:,} of the {self.pool.chips:,} chips stand idle: the best plan uses {plan.strategy.chips:,}"

    @property
    def bought(self) -> int:
        """Chips of the whole units that hold the pool and its spares."""
        return self.floor_space.units * self.floor_space.unit_chips

    @property
    def free(self) -> str:
        """How much of the last unit stays free, in words; empty where nothing does."""
        return self.parts[0].free

    @property
    def bought_words(self) -> str:
        """What the capital expense buys, in a few words, where much of it stays free; else empty."""
        return describe_bought(self.parts, partial(price_to_buy, given=self.given))

    @property
    def tokens_per_s(self) -> Range:
        """Tokens a second while nothing fails."""
        step, tokens = self.result.step_time, self.result.plan.job.tokens_per_step
        return tokens / step

    @property
    def useful(self) -> Range:
        """Tokens a second that last: throughput times goodput."""
        return self.tokens_per_s * self.goodput.goodput

    @property
    def days(self) -> Range | None:
        """Days of the job's tokens, failures included; None when the job states none."""
        tokens = self.result.plan.job.tokens
        return tokens / self.useful * (1 / DAY) if tokens else None

    @property
    def cost(self) -> Range | None:
        """Dollars of 10¹² useful tokens."""
        return None if self.bill is None else self.bill.cost

    @property
    def cost_of_run(self) -> Range | None:
        """Dollars of the job's tokens; None without a price, or where the job states no tokens."""
        return None if self.cost is None else self._of_run(self.cost)

    @property
    def energy_of_run(self) -> Range | None:
        """Joules of the job's tokens, with the site's cooling."""
        return None if self.bill is None else self._of_run(self.bill.energy)

    @property
    def capital(self) -> Range | None:
        """Dollars of whole units with their network and storage, spares among them: of a rented pool what owning it takes."""
        owned = self.chip_hour if self.chip_hour.capital else self.otherwise.chip_hour if self.otherwise else None
        return None if owned is None or owned.capital is None else owned.capital * self.bought

    @property
    def own_or_rent(self) -> str:
        """What owning costs over renting, in words; empty where one of the two has no price."""
        hour = Range.exactly(HOUR)
        here = self.cost_per_hour
        there = None if self.otherwise is None else self.otherwise.bill(hour, self.given.electricity)
        if here is None or there is None or there.cost is None or self.chip_hour.basis == "unknown":
            return ""
        ratio = there.cost / here if self.chip_hour.basis == "rent" else here / there.cost
        return (
            f"owning it costs {ratio.nominal:.2f} times renting it ({format_ends(ratio, '{:.2f}'.format)}), whole units and"
            " electricity counted"
        )

    def _of_run(self, of_a_bill: Range) -> Range | None:
        tokens = self.result.plan.job.tokens
        return of_a_bill * (tokens / TERA) if tokens else None

    @property
    def cost_per_hour(self) -> Range | None:
        """Dollars of one hour of the whole pool."""
        return None if self.hourly_bill is None else self.hourly_bill.cost


def assess(result: Result, assumptions: Assumptions | None = None) -> Assessment:
    """Return what a plan means in useful tokens, watts, dollars, square metres and carbon.

    Spare nodes that the goodput counts on are paid for, and take power and floor. Where no power is known there is no bill;
    where no price is known its cost is None; ``unknown`` says what is missing and how to state it.

    Raises EnvelopeError where the closed forms of goodput do not hold.
    """
    given = assumptions or Assumptions()
    goodput = expect_goodput(result, given.reliability)
    paid = pay_for(result.plan.pool, goodput.spare_nodes, given)
    unbilled = Assessment(
        result, goodput, paid.site, paid.chips, paid.power, paid.chip_hour, paid.floor_space, None, None, paid.unknown
    )
    bill, hourly_bill = (
        paid.bill(seconds, given.electricity) for seconds in (TERA / unbilled.useful, Range.exactly(HOUR))
    )
    otherwise = pay_for(result.plan.pool, goodput.spare_nodes, _otherwise(given, paid.chip_hour))
    known = None if otherwise.chip_hour.price is None else otherwise
    return replace(unbilled, bill=bill, hourly_bill=hourly_bill, otherwise=known, given=given)


def assess_predicted(result: Result, assumptions: Assumptions | None = None) -> Assessment:
    """Return what a fresh prediction means, its range moved by what is known of errors nearby."""
    move = assumptions.move_range if assumptions else None
    return assess(result if move is None else move(result), assumptions)


def _otherwise(given: Assumptions, chip_hour: ChipHour) -> Assumptions:
    """Return what is stated, but for owning in place of renting, or renting in place of owning."""
    if chip_hour.basis == "own":
        return replace(given, own=False, chip_prices={}, unit_prices={}, quotes=_of_rent(given, is_rent=True))
    return _to_own(given)


def _to_own(given: Assumptions) -> Assumptions:
    return replace(given, own=True, rents={}, quotes=_of_rent(given, is_rent=False))


def _of_rent(given: Assumptions, *, is_rent: bool) -> tuple[FirmQuote, ...]:
    return tuple(quote for quote in given.quotes if (quote.item == "rent") is is_rent)


@dataclass(frozen=True, slots=True)
class PaidPool:
    """What a pool and its spares take and cost by the hour, whatever runs on them."""

    pool: Pool
    """Without the spares."""
    site: Site
    chips: int
    """Chips that are paid for, spares among them."""
    power: PoolPower | None
    chip_hour: ChipHour
    floor_space: FloorSpace
    unknown: tuple[str, ...]

    @property
    def bought(self) -> int:
        """Chips of the whole units that hold the pool and its spares."""
        return self.floor_space.units * self.floor_space.unit_chips

    @property
    def free(self) -> str:
        """How much of the last unit stays free, in words; empty where nothing does."""
        return describe_free(self.pool, self.chips, self.floor_space)

    @property
    def capital(self) -> Range | None:
        """Dollars of whole units; None for a pool that is rented."""
        return None if self.chip_hour.capital is None else self.chip_hour.capital * self.bought

    def bill(self, seconds: Range, electricity: float | None = None) -> Bill | None:
        """Return what so many seconds cost; None where no power is known."""
        if self.power is None:
            return None
        price = None if electricity is None else Range.exactly(electricity)
        return price_run(seconds, self.power, self.chip_hour, self.site, electricity=price, bought=self.bought)


def pay_for(pool: Pool, spare_nodes: int, given: Assumptions) -> PaidPool:
    """Return what a pool and so many spare nodes take and cost."""
    site = load_site(given.site) if given.site else site_of(pool)
    paid = replace(pool, chips=pool.chips + spare_nodes * pool.node)
    unknown: list[str] = []
    try:
        power = find_power(
            paid, site, chip_power=given.of(given.powers, pool), pue=given.pue, figures=given.power_figures
        )
    except UnknownFigureError as error:
        power = None
        unknown.append(f"power: {error}")
    chip_hour = _find_chip_hour(given, pool, site)
    if chip_hour.price is None:
        unknown.append(f"price: {ask_price(pool, chip_hour)}")
    unknown += [
        f"{quote.words}: not taken, {pool.chips:,} chips are fewer" for quote in given.quotes if quote.is_short_of(pool)
    ]
    return PaidPool(pool, site, paid.chips, power, chip_hour, find_floor_space(paid), tuple(unknown))


def _find_chip_hour(given: Assumptions, pool: Pool, site: Site) -> ChipHour:
    """Return the price of a chip-hour: by what the user states, else by a firm quote, else by the catalog."""
    rent, chip_price = given.of(given.rents, pool), given.of(given.chip_prices, pool)
    unit_price, words = given.unit_prices.get(pool.name), ""
    if rent is chip_price is unit_price is None and (quote := _find_quote(given, pool)) is not None:
        dollars, words = quote.amount / (site.exchange.value if quote.currency == "CNY" else 1.0), quote.words
        rent, unit_price, chip_price = (dollars if quote.item == item else None for item in QUOTED)
    return find_chip_hour(
        pool, site, rent=rent, chip_price=chip_price, unit_price=unit_price, own=given.own, stated_by=words,
        terms=given.terms,
    )  # fmt: skip


def price_to_buy(pool: Pool, given: Assumptions) -> Range | None:
    """Return dollars of all chips of a pool with their network and storage; None where no price is known."""
    site = load_site(given.site) if given.site else site_of(pool)
    capital = _find_chip_hour(_to_own(given), pool, site).capital
    return None if capital is None else capital * pool.chips


def _find_quote(given: Assumptions, pool: Pool) -> FirmQuote | None:
    found = (find_firm_quote(given.quotes, pool, item) for item in QUOTED if not (given.own and item == "rent"))
    return next((quote for quote in found if quote is not None), None)


def ask_cost(a: Assessment) -> UnknownFigureError:
    """Return the question for what a plan's cost lacks: a power or a price."""
    return ask_power(a.pool) if a.power is None else ask_price(a.pool, a.chip_hour)


def ask_price(pool: Pool, chip_hour: ChipHour) -> UnknownFigureError:
    """Return the question for a price that nobody published, with the bracket of what is known."""
    known = ""
    if chip_hour.bracket is not None:
        known = (
            f"owning it at published prices ({', '.join(chip_hour.sources)}) would cost"
            f" {format_ends(chip_hour.bracket, '{:.2f}'.format)} USD for a chip-hour before electricity,"
            " a bracket and not a price"
        )
    name = pool.chip.name
    return UnknownFigureError(name, "rent or price", known, f"--rent {name}=USD")
