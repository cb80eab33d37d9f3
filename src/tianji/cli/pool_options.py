"""Options of the commands that set pool against pool: pools with their sizes, prices, power, the site."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tianji.cli.options import LOSS_OPTIONS, calibration_option, read_loss

if TYPE_CHECKING:
    from tianji.comparison import Assumptions
    from tianji.hardware import Pool
    from tianji.workload import Job

F = TypeVar("F", bound=Callable[..., Any])

_SIZED = re.compile(r"(?:(?P<count>[\d_,]+)\s*[x×]\s*)?(?P<name>[^@]+?)(?:@(?P<precision>[\w-]+))?$", re.IGNORECASE)

RENT = click.option("--rent", multiple=True, metavar="CHIP=USD", help="Dollars of one chip-hour; repeat for more.")
POWER = click.option(
    "--power", multiple=True, metavar="CHIP=WATTS",
    help="Watts of one chip with its share of all that serves it, like 1.3kW; repeat for more.",
)  # fmt: skip
_OPTIONS = (
    click.option("--batch", metavar="N", help="Global batch, in sequences.  [default: as in the published run]"),
    click.option("--seq", metavar="N", help="Tokens of one sequence.  [default: as in the published run]"),
    click.option("--tokens", metavar="COUNT", help="Tokens of the whole run, like 15T: gives the days."),
    click.option("--precision", default="bf16", show_default=True, metavar="NAME",
                 help="Number formats of the run; a pool may have its own, like 64xhgx-h800@fp8."),
    click.option("--site", metavar="NAME|FILE", help="Where all pools stand.  [default: each at its vendor's home]"),
    RENT,
    click.option("--buy", "own", is_flag=True, help="Own the pools, in place of renting them."),
    click.option("--chip-price", multiple=True, metavar="CHIP=USD", help="Dollars of one chip, to own it; repeat for more."),
    POWER,
    click.option("--electricity", metavar="USD", help="Dollars of 1 kWh."),
    click.option("--pue", metavar="X", help="Power of the site over that of the pool."),
    *LOSS_OPTIONS,
    calibration_option,
)  # fmt: skip


def with_pool_options(command: F) -> F:
    """Add the options that :func:`read_cases` and :func:`read_assumptions` take."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_cases(
    model: str, pools: tuple[str, ...], *, batch: str | None, seq: str | None, tokens: str | None, precision: str
) -> list[tuple[Job, Pool]]:
    """Return the same work on each pool; a pool is a name or a file, with ``COUNTx`` before and ``@PRECISION`` after it.

    Raises InputError for anything that cannot be used.
    """
    from tianji.catalog import load_model, load_pool, make_job
    from tianji.errors import FormatError
    from tianji.units import parse_count

    load_model(model)
    found = []
    for text in pools:
        sized = _SIZED.match(text.strip())
        count, name, own = (sized["count"], sized["name"], sized["precision"]) if sized else (None, text, None)
        pool = load_pool(name, None if count is None else parse_count(count, text))
        if pool.chips < pool.node < pool.unit:
            raise FormatError(
                f"{text}: the number is of chips; {pool.chips} pods are {pool.chips * pool.unit}x{name} (one holds {pool.unit:,})"
            )
        found.append((pool, own or precision))
    # The batch that is assumed where none is known must be one for all pools: the work is the same.
    chips = max(pool.chips for pool, _ in found)
    return [(make_job(model, seq, batch, tokens, own, chips=chips), pool) for pool, own in found]


def read_assumptions(
    *, site: str | None, rent: tuple[str, ...], own: bool, chip_price: tuple[str, ...], power: tuple[str, ...],
    electricity: str | None, pue: str | None, loss: str, replica_chips: str | None,
) -> Assumptions:  # fmt: skip
    """Return what the user states of prices, power and failures.

    Raises FormatError for a value that is no price, power or ratio, UnknownNameError for a chip that nobody knows.
    """
    from tianji.catalog import load_site
    from tianji.comparison import Assumptions
    from tianji.errors import FormatError
    from tianji.units import parse

    if site is not None:
        load_site(site)
    ratio = None if pue is None else parse(pue, "ratio", "--pue")
    if ratio is not None and not 1 <= ratio <= 5:
        raise FormatError(f"--pue: expected a ratio from 1 to 5, got {pue}")
    price = None if electricity is None else read_money(electricity, "--electricity")
    return Assumptions(
        site=site, rents=read_pairs(rent, "--rent", "money"),
        chip_prices=read_pairs(chip_price, "--chip-price", "money"), powers=read_pairs(power, "--power", "power"),
        electricity=price, pue=ratio, own=own,
        reliability=read_loss(loss, replica_chips),
    )  # fmt: skip


def read_money(text: str, where: str) -> float:
    """Return dollars; the currency may be left out, and ``k``, ``M`` and ``B`` stand for zeros.

    >>> read_money("1.5", "--rent"), read_money("2 USD", "--rent"), read_money("5.6M", "--budget")
    (1.5, 2.0, 5600000.0)

    Raises FormatError for what is no amount above zero.
    """
    from tianji.errors import FormatError
    from tianji.units import parse

    amount = text.strip().removesuffix("USD")
    plain = re.fullmatch(r"[-+]?\d[\d_,]*\.?\d*(?:[eE][-+]?\d+)?\s*[kKMB]?\s*", amount)
    value = parse(amount, "count", where) if plain else parse(text, "money", where)
    if value <= 0:
        raise FormatError(f"{where}: expected an amount above zero, got {text!r}")
    return value


def read_pairs(given: tuple[str, ...], where: str, dimension: str) -> dict[str, float]:
    """Return figures by the names of chips or pools, like ``h800=2``, in SI units or dollars.

    Raises FormatError for what is no such pair, UnknownNameError for a name that nobody knows.
    """
    from tianji.catalog import list_chips, list_pools
    from tianji.errors import FormatError, UnknownNameError
    from tianji.units import parse

    found: dict[str, float] = {}
    known = {*list_chips(), *list_pools()}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            example = "h800=2" if dimension == "money" else "h800=1.3kW"
            raise FormatError(
                f"{where}: expected the name of a chip or a pool and a figure, like {example}, got {text!r}"
            )
        if name not in known:
            raise UnknownNameError("chip or pool", name, known)
        found[name] = read_money(value, where) if dimension == "money" else parse(value, dimension, where)
        if found[name] <= 0:
            raise FormatError(f"{where}: expected a figure above zero, got {text!r}")
    return found


JOB = ("batch", "seq", "tokens", "precision")
GIVEN = ("site", "rent", "own", "chip_price", "power", "electricity", "pue", "loss", "replica_chips")


def split(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of the work and those of prices, power and failures."""
    return {name: options[name] for name in JOB}, {name: options[name] for name in GIVEN}
