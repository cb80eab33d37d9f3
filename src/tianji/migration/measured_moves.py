"""What measured first supports took: the four classes, lines for each file to change, and the nearest repositories."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from tianji.catalog.migration import expand_source, read_rows


class EffortClass(StrEnum):
    """The four classes that fit the measured first supports, by the lines they added."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"


CLASSES: Mapping[EffortClass, tuple[str, int, int]] = {
    EffortClass.A: ("device layer only", 10, 200),
    EffortClass.B: ("several parallel back-ends", 200, 600),
    EffortClass.C: ("platform abstraction or patch stack", 1000, 2700),
    EffortClass.D: ("own kernels, counted apart", 10, 600),
}
"""Class: what it is, and the lines that first supports of that class added; of D, those beside the kernels."""
LINES_A_KERNEL = (150, 300)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A measured repository that this one resembles."""

    project: str
    effort_class: EffortClass
    code_added: int
    follow_ups: int | None
    """Commits about NPUs in the year after the first support, None where not counted."""
    duration: str
    source: str


@dataclass(frozen=True, slots=True)
class ClassRecord:
    """How often a scan gave a class to a measured first support, and how often the added lines were of that class."""

    cases: int
    right: int
    others: Mapping[str, int]
    """Class that it was instead: how often."""


def find_record(kind: EffortClass) -> ClassRecord:
    """Return how often a class was right where it could be measured."""
    row = next(row for row in read_rows("class_record") if row["called"] == kind)
    others = dict(word.split(":") for word in row["others"].split())
    return ClassRecord(int(row["cases"]), int(row["right"]), {name: int(count) for name, count in others.items()})


@lru_cache(maxsize=1)
def lines_a_file() -> tuple[float, float, float]:
    """Return the quartiles of added lines for each file to change, over the measured supports without own kernels."""
    from statistics import quantiles

    low, mid, high = quantiles(_lines_of_each_file(), n=4)
    return low, mid, high


def num_measured() -> int:
    """Return how many measured supports the quartiles of lines are taken over."""
    return len(_lines_of_each_file())


def _lines_of_each_file() -> list[float]:
    return [int(r["code_added"]) / int(r["files_to_change"]) for r in _measured() if r["class"] != EffortClass.D]


@lru_cache(maxsize=1)
def _measured() -> tuple[Mapping[str, str], ...]:
    return tuple(read_rows("repositories"))


def find_neighbours(num_lines: int, files: int, engines: Set[str], kind: EffortClass) -> tuple[Neighbour, ...]:
    """Return the three measured repositories that are nearest in lines of Python, in files to change and in engines."""

    def distance(row: Mapping[str, str]) -> float:
        size = abs(math.log(max(num_lines, 1) / float(row["num_lines"])))
        occurrences = abs(math.log(max(files, 1) / float(row["files_to_change"])))
        other = set(row["engines"].split()) - {"torch", "fsdp"}
        unlike = len(engines ^ other) / max(len(engines | other), 1)
        return size + 1.5 * occurrences + 2 * unlike + (2 if row["class"] != kind else 0)

    nearest = sorted(_measured(), key=distance)[:3]
    return tuple(
        Neighbour(
            row["project"],
            EffortClass(row["class"]),
            int(row["code_added"]),
            int(row["follow_ups_365"]) if row["follow_ups_365"] else None,
            row["duration"],
            expand_source(row["source"]),
        )
        for row in nearest
    )
