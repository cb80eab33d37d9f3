"""What one check of parity says, and how it came out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CheckOutcome(StrEnum):
    """What a check comes to."""

    PASS = "pass"
    NOISE = "beyond the noise"
    """Within the standard, yet further apart than noise explains: look at it."""
    FAIL = "fail"
    OPEN = "open"
    """The runs do not hold what the check needs."""


@dataclass(frozen=True, slots=True)
class ParityCheck:
    """One verdict: the standard, what was measured, its limit and what noise alone may make of it."""

    name: str
    outcome: CheckOutcome
    value: float | None
    limit: str
    noise: float | None
    says: str
    source: str = ""
