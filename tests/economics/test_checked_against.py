"""The table "Checked against" of docs/economics.md, line by line, by the functions that the commands call."""

import math
import re
import sys
from dataclasses import fields, replace
from datetime import date, timedelta
from pathlib import Path
from types import FrameType

from click.testing import CliRunner

from tianji.catalog import Ownership, load_ownership, load_pool, load_power, load_site
from tianji.cli import main
from tianji.economics import Bill, find_chip_hour, find_power, price_run
from tianji.economics.bill import KWH
from tianji.hardware import Figure, Pool
from tianji.ranges import Range
from tianji.units import DAY, HOUR, MEGA

PAGE = (Path(__file__).parents[2] / "docs" / "economics.md").read_text()
SECTION = PAGE.partition("## Checked against")[2].partition("\n## ")[0]
ROWS = dict(re.findall(r"^\| (.+?) \| (.+?) \|", SECTION, re.M))
"""What is published, to what comes out here."""
USA = load_site("usa")
PROGRESS = 0.14
"""Orders of magnitude by which the price of the same throughput falls in a year (EPOCH)."""


def exactly(value: float) -> Figure:
    return Figure(value, "the publication", "user")


def bill_of(
    pool: Pool, hours: float, *, rent: float | None = None, chip_price: float | None = None, watts: float = 1.0,
    busy: float = 1.0, pue: float = 1.0, carbon: float = 1.0, electricity: float = 0.0, terms: Ownership | None = None,
) -> Bill:  # fmt: skip
    """Return the bill of so many hours of a pool at the terms of a publication."""
    site = replace(USA, carbon=exactly(carbon))
    power = find_power(pool, site, chip_power=watts, pue=pue, figures=replace(load_power(), busy_share=exactly(busy)))
    hour = find_chip_hour(pool, site, rent=rent, chip_price=chip_price, terms=terms)
    return price_run(Range.exactly(hours * HOUR), power, hour, site, electricity=Range.exactly(electricity))


def epoch_terms(overhead: float = 1.66) -> Ownership:
    """Epoch's rule as terms of ours: in a year hardware loses ``PROGRESS · ln 10`` of what it is worth; nothing else is paid."""
    given = {"server_overhead": overhead, "network_share": 0.19, "lifetime": 365.25 * DAY, "used_share": 1.0,
             "residual": 1 - PROGRESS * math.log(10)}  # fmt: skip
    figures = {f.name: exactly(given.get(f.name, 0.0)) for f in fields(Ownership) if f.name != "name"}
    return replace(load_ownership(), **figures)


def epoch_price(price: float, years: float) -> float:
    """Return what a chip is worth some years after its release, by the progress of hardware."""
    return price * 10 ** (-PROGRESS * years)


def nominal(one: Range | None) -> float:
    assert one is not None
    return one.nominal


def test_deepseek_v3() -> None:
    bill = bill_of(load_pool("hgx-h800", 2048), 2.788e6 / 2048, rent=2.0)
    assert f"{nominal(bill.cost) / MEGA:.3f} M USD" == ROWS["DeepSeek-V3, 2.788 M H800-hours at 2 USD"]


def test_llama_3_1_405b() -> None:
    bill = bill_of(load_pool("hgx-h100", 16_384), 30.84e6 / 16_384, watts=700)
    assert f"{bill.energy.nominal / KWH / 1000:,.0f} MWh" == ROWS["Llama 3.1 405B, 30.84 M H100-hours at 700 W"]


def test_epoch_gpt_4() -> None:
    """25,000 A100 for 95 days; a DGX A100 at 199,000 dollars, bought 90 days after release, used until August 2022."""
    years = (date(2022, 8, 15) - timedelta(days=95) - (date(2020, 5, 14) + timedelta(days=90))).days / 365.25
    bill = bill_of(
        load_pool("hgx-a100", 25_000), 95 * 24.0, chip_price=epoch_price(199_000 / 8, years) / 1.66, watts=6500 / 8,
        busy=0.75, pue=1.25, electricity=0.0806, terms=epoch_terms(),
    )  # fmt: skip
    parts = [bill.items[name].nominal / MEGA for name in ("chips", "servers", "network", "electricity")]
    published = "Epoch, GPT-4: chips {:.1f}, servers {:.1f}, network {:.1f}, energy {:.1f} M USD".format(*parts)
    assert f"{nominal(bill.cost) / MEGA:.2f} M USD" == ROWS[published]


def test_epoch_llama_3_1_405b() -> None:
    """16,384 H100 for 2,142 hours; a DGX H100 at 44,489.88 dollars a chip."""
    start = date(2024, 7, 23) - timedelta(days=60) - timedelta(hours=2142)
    # The start falls 6 hours before midnight, which costs one day of whole days.
    years = ((start - (date(2022, 9, 20) + timedelta(days=90))).days - 1) / 365.25
    bill = bill_of(
        load_pool("hgx-h100", 16_384), 2142.0, chip_price=epoch_price(44_489.88, years), watts=10_200 / 8, busy=0.75,
        pue=1.1, electricity=0.0771, terms=epoch_terms(overhead=1.0),
    )  # fmt: skip
    assert f"{nominal(bill.cost) / MEGA:.2f} M USD" == ROWS["Epoch, Llama 3.1 405B: 51.26 M USD"]


def test_bloom() -> None:
    """433.2 MWh on the French grid at 57 g of a kWh (BLOOM's carbon paper)."""
    bill = bill_of(load_pool("hgx-a100", 384), 433.2e6 / 400 / 384, watts=400, carbon=0.057)
    assert f"{bill.carbon.nominal / 1000:.2f} t CO₂" == ROWS["BLOOM, 433.2 MWh at 57 g of a kWh"]


def test_one_point_of_goodput() -> None:
    """41,573 dollars: 1 % of 30 days of 512 chips, at the list price of 11.2774 dollars an hour."""
    bill = bill_of(load_pool("hgx-b200", 512), 0.01 * 720, rent=11.2774)
    assert f"{nominal(bill.cost):,.0f} USD" == ROWS["one point of goodput, 512 B200 at list, 30 days"]


def test_pods() -> None:
    watts = [find_power(load_pool(name), USA).unit.nominal for name in ("cloudmatrix384", "gb200-nvl72")]
    assert "; ".join(f"{w / 1000:.0f} kW" for w in watts) == ROWS["CloudMatrix384; GB200 NVL72"]


def test_a_command_calls_the_functions_that_are_named_there() -> None:
    named = set(re.findall(r"`economics\.(\w+)`", SECTION))
    assert named >= {find_chip_hour.__name__, find_power.__name__, price_run.__name__}
    assert named <= calls_of(["compare", "llama-3.1-8b", "8xhgx-h100", "8xhgx-h800", "--batch", "8", "--buy", "--json"])


def calls_of(arguments: list[str]) -> set[str]:
    """Return the functions of the room of money that a command calls."""
    called: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and "/economics/" in frame.f_code.co_filename:
            called.add(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        done = CliRunner().invoke(main, arguments)
    finally:
        sys.setprofile(None)
    assert done.exit_code == 0, done.output
    return called
