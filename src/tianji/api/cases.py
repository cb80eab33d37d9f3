"""What ``compare``, ``replace`` and ``size`` ask about: the same work on several pools, and stated prices and power."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple, TypeAlias

from tianji.api.failures import read_loss
from tianji.api.quantities import Count, Pairs, Quantity, read_money, read_pairs
from tianji.api.requests import CalibrationLike, File, ModelLike, Sizes, check_model, find_calibration, find_job
from tianji.api.software import SoftwareOptions, choose_software
from tianji.catalog import list_pools, load_firm_quotes, load_pool, load_site, site_of
from tianji.catalog.mixtures import is_mixture, load_mixture
from tianji.comparison import Assumptions
from tianji.errors import FormatError, IllegalStrategyError, UnknownNameError
from tianji.hardware import Chip, Pool
from tianji.hardware.calibration import Calibration
from tianji.hardware.mixture import Mixture
from tianji.units import parse, parse_count
from tianji.workload import Job, Model, Precision

SizedPool: TypeAlias = str | Pool | Mixture
"""A pool, or the name or file of one with ``COUNTx`` before it and ``@PRECISION`` after it, like ``"64xhgx-h800@fp8"``.

Where unlike chips are allowed: a mixture, its name or file, or a sum of pools like ``"64xhgx-a100+64xhgx-h100"``.
"""
Case: TypeAlias = tuple[Job, Pool | Mixture]

HOME = "home"
"""The site that is each vendor's own."""
_SIZED = re.compile(r"(?:(?P<count>[\d_,]+)\s*[x×]\s*)?(?P<name>[^@]+?)(?:@(?P<precision>[\w-]+))?$", re.IGNORECASE)


class Work(NamedTuple):
    """The options that say what is trained, and on which samples; None: not said."""

    task: str | None = None
    lora_rank: Count | None = None
    lora_targets: str | None = None
    teacher: File | Model | None = None
    lengths: Count | None = None


def read_cases(
    model: ModelLike, pools: Sequence[SizedPool], *, batch: Count | None, seq: Count | None, tokens: Quantity | None,
    precision: str | Precision | None, work: Work | None = None,
) -> list[Case]:  # fmt: skip
    """Return the same work on each pool.

    Raises InputError for anything that cannot be used.
    """
    check_model(model)
    places = [_read_pool(pool) for pool in pools]
    # The batch that is assumed where none is known must be one for all pools: the work is the same.
    chips = max((pool.chips for pool, _ in places), default=0)
    sizes = {own: Sizes(None, batch, seq, tokens, own or precision, **(work or Work())._asdict()) for _, own in places}
    return [(find_job(model, sizes[own], chips, chips_of(pool)), pool) for pool, own in places]


def chips_of(place: Pool | Mixture) -> tuple[Chip, ...]:
    """Return the chips of a pool, which are of one kind, or of a mixture."""
    return tuple(part.chip for part in place.parts) if isinstance(place, Mixture) else (place.chip,)


def require_pool(case: Case, what: str, instead: str) -> tuple[Job, Pool]:
    """Return a case on a pool of one chip.

    Raises IllegalStrategyError for a mixture; ``what`` says what takes none, ``instead`` what to do.
    """
    job, place = case
    if isinstance(place, Mixture):
        raise IllegalStrategyError(
            f"{what} asks how many chips of one kind, and {place.name} is a mixture, whose numbers are fixed: {instead}"
        )
    return job, place


def choose_for_cases(
    cases: Sequence[Case], calibration: CalibrationLike, asked: SoftwareOptions
) -> tuple[list[Case], Calibration]:
    """Return the cases and the calibration under the software that is said: for each pool what goes with its chip."""
    chips = [chip for _, place in cases for chip in chips_of(place)]
    has_experts = any(job.model.moe for job, _ in cases)
    choice = choose_software(find_calibration(calibration), chips, asked, has_experts=has_experts)
    for job, place in cases:
        choice = choice.rule_out(job, chips_of(place))
    return [(choice.settle(job, chips_of(place)[0]), place) for job, place in cases], choice.calibration


def share_site(cases: Sequence[Case], site: str | None) -> tuple[list[Case], str | None]:
    """Return the cases and the one site of all pools; the home of the first, which is then assumed, where none was said.

    ``home`` is none: each pool stands at its vendor's.
    """
    if site is not None or len(cases) < 2:
        return list(cases), None if site == HOME else site
    place = cases[0][1]
    first = site_of(place.parts[0] if isinstance(place, Mixture) else place)
    note = f"all pools stand in: {first.title}, the home of the first (--site home: each at its own)"
    return [(replace(job, assumed=(*job.assumed, note)), pool) for job, pool in cases], first.name


def _read_pool(pool: SizedPool) -> tuple[Pool | Mixture, str | None]:
    """Return a pool or a mixture, and the precision that it has of its own."""
    if not isinstance(pool, str):
        return pool, None
    if is_mixture(pool):
        return load_mixture(pool), None
    sized = _SIZED.match(pool.strip())
    count, name, precision = (sized["count"], sized["name"], sized["precision"]) if sized else (None, pool, None)
    place = load_pool(name, None if count is None else parse_count(count, pool))
    if place.chips < place.node < place.unit:
        raise FormatError(
            f"{pool}: the number is of chips; {place.chips} pods are {place.chips * place.unit}x{name}"
            f" (one holds {place.unit:,})"
        )
    return place, precision


def read_assumptions(
    *, site: str | None, rent: Pairs, buy: bool, chip_price: Pairs, unit_price: Pairs, quotes: File | None,
    power: Pairs, electricity: Quantity | None,
    pue: Quantity | None, loss: str, replica_chips: Count | None,
) -> Assumptions:  # fmt: skip
    """Return what the user states of prices, power and failures.

    Raises FormatError for a value that is no price, power or ratio, UnknownNameError for a chip that nobody knows.
    """
    if site not in (None, HOME):
        load_site(site)
    ratio = None if pue is None else parse(pue, "ratio", "--pue")
    if ratio is not None and not 1 <= ratio <= 5:
        raise FormatError(f"--pue: expected a ratio from 1 to 5, got {pue}")
    return Assumptions(
        site=site, rents=read_pairs(rent, "--rent", "money"), chip_prices=read_pairs(chip_price, "--chip-price", "money"),
        unit_prices=_read_unit_prices(unit_price), quotes=() if quotes is None else load_firm_quotes(quotes, date.today()),
        powers=read_pairs(power, "--power", "power"), pue=ratio, own=buy, reliability=read_loss(loss, replica_chips),
        electricity=None if electricity is None else read_money(electricity, "--electricity"),
    )  # fmt: skip


def _read_unit_prices(given: Pairs) -> dict[str, float]:
    prices = read_pairs(given, "--unit-price", "money")
    for name in prices:
        if name not in list_pools():
            raise UnknownNameError(
                "pool", name, list_pools(), "--unit-price is of a whole unit of a pool; a chip has --chip-price."
            )
    return prices
