"""The three lines that every answer begins with: their form, and how sure an answer is, in words."""

from __future__ import annotations

from typing import TypedDict

from tianji.formatting import format_percent

SURE = 0.99
"""From this chance on, and below its complement, no percent is said."""


class BottomLineDocument(TypedDict):
    """What a reader in a hurry takes along, in three lines."""

    answer: str
    """Yes or no, and how many chips with their range."""
    amounts: str
    """Days, million dollars and megawatts."""
    hinge: str
    """How sure it is, and what it hangs on."""
    chance: float | None
    """Of the answer, from the 80 % ranges; null where nothing is known of it, or nothing is uncertain."""


def say_chance(chance: float) -> str:
    """Return a chance in words.

    >>> say_chance(0.553), say_chance(0.9999), say_chance(0.0)
    ('55 %', 'over 99 %', 'under 1 %')
    """
    if chance > SURE:
        return "over 99 %"
    return "under 1 %" if chance < 1 - SURE else format_percent(chance, 0)
