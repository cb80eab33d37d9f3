"""Money, energy, carbon and floor space: pure functions over figures and their ranges."""

from tianji.economics.bill import Bill, price_run
from tianji.economics.chip_hour import ChipHour, find_chip_hour
from tianji.economics.ownership import amortise, own_chip_hour
from tianji.economics.power import PoolPower, ask_power, find_power
from tianji.economics.space import FloorSpace, find_floor_space, find_smaller_product

__all__ = [
    "Bill",
    "ChipHour",
    "FloorSpace",
    "PoolPower",
    "amortise",
    "ask_power",
    "find_chip_hour",
    "find_floor_space",
    "find_power",
    "find_smaller_product",
    "own_chip_hour",
    "price_run",
]  # fmt: skip
