"""What is believed of constants before any whole run: two tables of published micro-benchmarks, each line with its source.

``priors.csv`` has a line for some chips (or an ecosystem, or ``*``) and a constant: a median, a spread (one standard deviation of
the logarithm; 0 where it is sure) and a ceiling. The line that names the chip wins over that of its ecosystem, and that over
``*``. ``mechanisms.csv`` says what a word of a switch does to a constant: a factor with its spread, or a value.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from tianji.catalog.entries import DATA
from tianji.hardware import Chip

PRIORS = DATA / "calibrations" / "priors.csv"
MECHANISMS = DATA / "calibrations" / "mechanisms.csv"
BROAD = "broad prior"
"""The source of a line that stands on no micro-benchmark."""
ANY = "*"


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed of one constant: its median, its spread (one standard deviation of the logarithm), its evidence."""

    median: float
    spread: float
    source: str
    ceiling: float = float("inf")

    @property
    def is_published(self) -> bool:
        """A micro-benchmark was published for it; the others are broad beliefs, or counted and sure."""
        return self.source != BROAD and self.spread > 0.0


@dataclass(frozen=True, slots=True)
class Mechanism:
    """What one word of a switch does to one constant."""

    value: float
    spread: float
    source: str
    sets: bool
    """The constant becomes the value; else it is multiplied by it."""


@lru_cache(maxsize=1)
def _read_priors() -> Mapping[str, Mapping[str, Prior]]:
    lines: dict[str, dict[str, Prior]] = {}
    with PRIORS.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            prior = Prior(float(row["median"]), float(row["spread"]), row["source"], float(row["ceiling"] or "inf"))
            for owner in row["chips"].split():
                lines.setdefault(owner, {})[row["constant"]] = prior
    return lines


@lru_cache(maxsize=1)
def read_mechanisms() -> Mapping[tuple[str, str], Mechanism]:
    """Return what words do, by trait (``switch=word``) and constant."""
    found: dict[tuple[str, str], Mechanism] = {}
    with MECHANISMS.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            sets = row["does"] == "value"
            mechanism = Mechanism(float(row["value"]), float(row["spread"]), row["source"], sets)
            found[f"{row['switch']}={row['word']}", row["constant"]] = mechanism
    return found


def find_priors(chip: Chip | None = None) -> dict[str, Prior]:
    """Return what is believed of a chip's constants (None: of any chip's) before any whole run."""
    lines = _read_priors()
    known = dict(lines[ANY])
    if chip is not None:
        known |= {**lines.get(chip.ecosystem, {}), **lines.get(chip.name, {})}
    return known


def find_own(chip: Chip) -> dict[str, Prior]:
    """Return what a micro-benchmark of this very chip says."""
    return dict(_read_priors().get(chip.name, {}))
