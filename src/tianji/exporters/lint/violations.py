"""What a check reports: the rule, where it is broken, what stands there, and what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a manifest breaks: where, what stands there, and what to do."""

    rule: str
    where: str
    actual: str
    fix: str
