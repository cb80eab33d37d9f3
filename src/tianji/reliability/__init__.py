"""Lost time: failures, recovery, checkpoints, spares, silent corruption and stragglers."""

from tianji.reliability.expectation import Expectation, expect
from tianji.reliability.renewal import best_interval, efficiency
from tianji.reliability.settings import LOSSES, Reliability
from tianji.reliability.spares import spares_for

__all__ = ["LOSSES", "Expectation", "Reliability", "best_interval", "efficiency", "expect", "spares_for"]
