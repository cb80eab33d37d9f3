"""The table of CUDA names and idioms, looked up by exact name or by the longest name above it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from tianji.catalog.migration import expand_source, read_rows


@dataclass(frozen=True, slots=True)
class CudaName:
    """What the table says of one name or idiom."""

    key: str
    category: str
    answer: str
    mechanical: str
    """automatic, one-line, rewrite or impossible."""
    needs_change: bool
    to_start: bool
    """It chooses, counts, names or waits for a device, its back-end or its random state: nothing starts before it is changed."""
    route: str
    trap: str
    a2_a3: str
    on_950dt: str
    source: str

    def on_chip(self, target: str) -> str:
        """Return what is stated for a family of chips: yes, no, partial, not_yet, not_listed or nothing."""
        return self.on_950dt if target == "950dt" else self.a2_a3


class CudaNames:
    """All names of the table; ``name.*`` answers for what lies below a name, ``env:NAME_*`` for variables so begun."""

    def __init__(self, exact: Mapping[str, CudaName], below: Mapping[str, CudaName]) -> None:
        self.exact = exact
        self.below = below
        self.tops = frozenset(
            name.split(".")[0] for name in (*exact, *below) if not name.startswith(("idiom:", "env:"))
        )

    def find(self, symbol: str) -> CudaName | None:
        """Return what answers for a symbol, the nearest name first."""
        if (row := self.exact.get(symbol)) is not None:
            return row
        if symbol.startswith("env:"):
            return next((row for name, row in self.below.items() if symbol.startswith(name)), None)
        parts = symbol.split(".")
        for end in range(len(parts), 0, -1):
            name = ".".join(parts[:end])
            if (row := self.below.get(name)) is not None:
                return row
            # An attribute of a listed class or object (a method of an event) is answered with it.
            if 2 <= end < len(parts) and (row := self.exact.get(name)) is not None and name.count(".") >= 2:
                return row
        return None


@lru_cache(maxsize=1)
def load_cuda_names() -> CudaNames:
    """Return the table of CUDA names."""
    exact: dict[str, CudaName] = {}
    below: dict[str, CudaName] = {}
    for row in read_rows("cuda_names"):
        for key in row["names"].split():
            name = CudaName(
                key,
                row["category"],
                row["answer"],
                row["mechanical"],
                row["needs_change"] in ("y", "start"),
                row["needs_change"] == "start",
                row["route"],
                row["trap"],
                row["a2_a3"],
                row["950dt"],
                row["source"],
            )
            if key.endswith(".*") or (key.startswith("env:") and key.endswith("*")):
                below[key.rstrip("*").rstrip(".")] = name
            else:
                exact[key] = name
    return CudaNames(exact, below)


def source_of(name: CudaName) -> str:
    """Return where a row of the table comes from, written out."""
    return expand_source(name.source)
