"""How far MindSpore covers the PyTorch names that a repository uses, from the published mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from tianji.backends import support
from tianji.backends.mindspore.support import MODEL_LIMITS
from tianji.backends.trained_parts import lacking_parts
from tianji.catalog.migration import expand_source, read_rows
from tianji.migration.judging.api_support import load_unlisted
from tianji.migration.scan import RepositoryScan
from tianji.migration.twin.settings import FAMILIES
from tianji.workload import Model

RELATIONS = ("consistent", "different", "name_match", "none", "unlisted")
"""``consistent``: same meaning; ``different``: parameters or defaults differ; ``name_match``: paired by name, not compared;
``none``: absent from the published mapping; ``unlisted``: in no table at all."""
_NEUTRAL = ("dtype", "namespace", "python_level")


@dataclass(frozen=True, slots=True)
class Counterpart:
    """One PyTorch name that the repository uses, and what MindSpore has for it."""

    torch: str
    mindspore: str
    relation: str
    difference: str
    num_uses: int
    place: tuple[str, int]
    source: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """All names with their counterparts; shares are of names and of uses."""

    counterparts: tuple[Counterpart, ...]

    def count(self, relation: str) -> int:
        """Return how many names have a relation."""
        return sum(c.relation == relation for c in self.counterparts)

    @property
    def share_of_uses(self) -> float:
        """Share of uses whose name has a counterpart, compared or paired by name."""
        total = sum(c.num_uses for c in self.counterparts)
        met = sum(c.num_uses for c in self.counterparts if c.relation in ("consistent", "different", "name_match"))
        return met / total if total else 0.0


@dataclass(frozen=True, slots=True)
class TwinOffer:
    """Whether a model can have a twin under MindSpore, and the commands that make and judge it."""

    runs: bool
    reason: str
    commands: tuple[str, ...]


def offer_twin(model: Model, name: str) -> TwinOffer:
    """Return how to train a model under PyTorch and MindSpore from the same weights, and to judge the two runs.

    ``name`` is what the commands call the model by.
    """
    lacking = [what for is_so, what in (*support.MODEL_LIMITS, *MODEL_LIMITS) if is_so(model)]
    lacking += [] if lacking else lacking_parts(model)
    if lacking:
        return TwinOffer(
            False, f"{model.name} needs {', '.join(lacking)}, which the MindSpore executor does not run", ()
        )
    if model.family not in FAMILIES:
        known = ", ".join(FAMILIES)
        return TwinOffer(False, f"{model.name} is of {model.family}; the executors have the mathematics of {known}", ())
    commands = (f"tianji migrate twin {name} --out twin --weights WEIGHTS",)
    return TwinOffer(True, f"{model.name} is a dense model of {model.family}: both executors run it", commands)


@lru_cache(maxsize=1)
def _counterparts() -> Mapping[str, Mapping[str, str]]:
    return {row["torch"]: row for row in read_rows("mindspore_names")}


def cover_with_mindspore(scan: RepositoryScan) -> Coverage:
    """Return how far MindSpore covers the names of a scan. Dtypes, namespaces and plain Python are left out."""
    found = []
    for use in scan.apis:
        kind, alias = load_unlisted().get(use.name, ("", ""))
        if use.by_method or kind in _NEUTRAL:
            continue
        row = _counterparts().get(use.name) or _counterparts().get(alias)
        if row is None:
            found.append(Counterpart(use.name, "", "unlisted", "", use.num_uses, use.places[0], ""))
            continue
        found.append(
            Counterpart(
                use.name,
                row["mindspore"],
                row["relation"],
                row["difference"],
                use.num_uses,
                use.places[0],
                expand_source(row["source"]),
            )
        )
    order = {relation: index for index, relation in enumerate(RELATIONS)}
    return Coverage(tuple(sorted(found, key=lambda c: (-order[c.relation], -c.num_uses, c.torch))))
