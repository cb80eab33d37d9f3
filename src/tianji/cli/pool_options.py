"""Options of the commands that set pool against pool: pools with their sizes, prices, power, the site."""

from __future__ import annotations

import click

from tianji.cli.options import (
    add_options,
    calibration_option,
    loss_options,
    replaced_software_options,
    software_options,
    task_options,
)

RENT = click.option("--rent", multiple=True, metavar="CHIP=USD", help="Dollars of one chip-hour; repeat for more.")
POWER = click.option(
    "--power", multiple=True, metavar="CHIP=WATTS",
    help="Watts of one chip with its share of all that serves it, like 1.3kW; repeat for more.",
)  # fmt: skip
_POOL_OPTIONS = (
    click.option("--batch", metavar="N[,N...]",
                 help="Global batch, in sequences; of a list the first is the answer's.  [default: as in the published run]"),
    click.option("--seq", metavar="N", help="Tokens of one sequence.  [default: as in the published run]"),
    click.option("--tokens", metavar="COUNT", help="Tokens of the whole run, like 15T: gives the days."),
    click.option("--precision", metavar="NAME",
                 help="Number formats of the run; a pool may have its own, like 64xhgx-h800@fp8.  [default: as in the"
                      " published run, on chips that have it; else bf16]"),
    task_options,
    click.option("--site", metavar="NAME|FILE",
                 help="Where all pools stand; home: each at its vendor's.  [default: the home of the first]"),
    RENT,
    click.option("--buy", is_flag=True, help="Own the pools, in place of renting them."),
    click.option("--unit-price", multiple=True, metavar="POOL=USD", help="Dollars of a whole unit, to own it; repeat for more."),
    click.option("--chip-price", multiple=True, metavar="CHIP=USD", help="Dollars of one chip, to own it; repeat for more."),
    click.option("--quotes", metavar="FILE", help="Firm quotes: a TOML file with date, currency, volume and validity."),
    POWER,
    click.option("--electricity", metavar="USD", help="Dollars of 1 kWh."),
    click.option("--pue", metavar="X", help="Power of the site over that of the pool."),
    loss_options,
    calibration_option,
)  # fmt: skip
with_pool_options = add_options(*_POOL_OPTIONS, software_options)
"""Adds the options of the work, the prices, the power, the site and the software."""
with_two_pool_options = add_options(*_POOL_OPTIONS, replaced_software_options)
"""The same for a command whose ``--with`` is a pool."""
