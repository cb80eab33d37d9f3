"""The table of sets of versions, each cell read into what it allows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from tianji.catalog.migration import expand_source, read_rows

TITLES = {"a2": "A2", "a3": "A3", "950dt": "950DT"}
"""Families of chips, as readers call them."""
COMPONENTS = (
    "driver",
    "cann",
    "torch",
    "torch_npu",
    "python",
    "mindspeed",
    "megatron_core",
    "mindspeed_llm",
    "mindspore",
    "mindformers",
    "vllm",
    "vllm_ascend",
    "triton_ascend",
)
_COLUMNS = {
    "driver": "hdk_driver",
    "torch_npu": "torch_npu_package",
    "mindspeed": "mindspeed_core",
}
PLAIN = frozenset(
    {"torch_npu", "MindSpeed Core", "MindSpeed-LLM", "vllm-ascend", "triton-ascend", "MindFormers", "MindSpore", "CANN"}
)
"""Components whose rows are pairings to solve with; the others are images and recipes that were seen to work."""
_CANDIDATES = frozenset({"rc", "dev", "a", "b", "beta"})


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a set allows of one component: versions, a span, or anything."""

    versions: tuple[str, ...] = ()
    least: str = ""
    below: str = ""

    @property
    def is_open(self) -> bool:
        """Whether anything is allowed."""
        return not (self.versions or self.least or self.below)

    def allows(self, version: str) -> bool:
        """Return whether a version is one of those that the cell names.

        >>> Allowed(("8.5.X",)).allows("8.5.2"), Allowed(("2.10.0",)).allows("2.10"), Allowed(below="3.12").allows("3.12")
        (True, True, False)
        """
        if self.is_open:
            return True
        if self.versions:
            return any(matches(known, version) for known in self.versions)
        number = numbers(version)
        return (not self.least or number >= numbers(self.least)) and (not self.below or number < numbers(self.below))

    def meets(self, other: Allowed) -> bool:
        """Return whether some version satisfies both cells."""
        if self.is_open or other.is_open:
            return True
        if self.versions:
            return any(other.allows(version) for version in self.versions) or any(map(self.allows, other.versions))
        return not other.versions or any(map(self.allows, other.versions))


@dataclass(frozen=True, slots=True)
class Release:
    """One row of the table: what was released or validated together."""

    name: str
    component: str
    version: str
    cells: Mapping[str, Allowed]
    torch_npu_release: str
    """The release of TorchNPU that a row of another component asks for."""
    chips: tuple[str, ...]
    month: str
    status: str
    source: str

    def cell(self, component: str) -> Allowed:
        """Return what the row allows of a component."""
        return self.cells.get(component, Allowed())

    @property
    def is_released(self) -> bool:
        """Whether anybody can install it: some rows are the version of a source tree."""
        return not self.status.endswith("unreleased")


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a version in order, a candidate before its release.

    >>> numbers("8.5.0") > numbers("8.5.0.RC1") > numbers("8.3.RC2")
    True
    """
    parts: list[int] = []
    for number, letters in re.findall(r"(\d+)|([A-Za-z]+)", version.split("+", maxsplit=1)[0]):
        parts.append(int(number) + 1 if number else (0 if letters.lower() in _CANDIDATES else 2))
    return (*parts, 1)


def matches(known: str, asked: str) -> bool:
    """Return whether a version asked for is the known one: written shorter, or with X for any number.

    >>> matches("2.10.0.post4", "2.10"), matches("9.1.X", "9.1.1"), matches("2.10.0", "2.1")
    (True, True, False)
    """
    one, two = known.lower().removeprefix("v").split("+")[0], asked.lower().removeprefix("v").split("+")[0]
    if one == two:
        return True
    left, right = re.split(r"[.\-]", one), re.split(r"[.\-]", two)
    for version, other in zip(left, right, strict=False):
        if "x" in (version, other):
            return True
        if version != other:
            return False
    rest = left[len(right) :] or right[len(left) :]
    return len(left) != len(right) and (len(right) < len(left) or all(part == "0" for part in rest))


@lru_cache(maxsize=1)
def load_releases() -> tuple[Release, ...]:
    """Return all rows of the table of versions."""
    return tuple(_read_release(row) for row in read_rows("versions"))


def _read_release(row: Mapping[str, str]) -> Release:
    cells = {name: _read_cell(row[_COLUMNS.get(name, name)], name) for name in COMPONENTS}
    asked = re.search(r"TorchNPU releases? ([\w. ]+)", row["torch_npu_package"])
    if asked:
        cells["torch_npu"] = Allowed()
    return Release(
        row["release_set"],
        row["component"],
        row["component_version"],
        cells,
        asked[1] if asked else "",
        tuple(row["chips"].replace("(", " ").split()),
        row["release_month"],
        row["status"],
        expand_source(row["source"]),
    )


def _read_cell(text: str, component: str) -> Allowed:
    if component == "driver" and text.startswith("recommended "):
        first, _, rest = text.removeprefix("recommended ").partition("; compatible ")
        return Allowed(tuple(dict.fromkeys([first, *rest.split()])))
    least = re.search(r">=\s*([\d.]+)", text)
    below = re.search(r"<\s*([\d.]+)", text)
    if least or below:
        return Allowed((), least[1] if least else "", below[1] if below else "")
    words = re.split(r"\s*(?:;|/)\s*|\s+", text.split("(", maxsplit=1)[0].strip())
    return Allowed(tuple(word.strip(",") for word in words if re.match(r"v?\d|core_", word)))
