"""Packages that a repository asks for or imports, each with its answer on Ascend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tianji.catalog.migration import expand_source, read_rows
from tianji.migration.facts import FileFacts, Guard
from tianji.migration.reading.requirement_files import canonical
from tianji.migration.resolving.areas import Area, Structure

STATUSES = ("works", "plugin", "fork", "partial", "none", "unknown")


@dataclass(frozen=True, slots=True)
class Package:
    """What the table says of one package."""

    name: str
    imports: tuple[str, ...]
    kind: str
    status: str
    answer: str
    from_version: str
    roles: frozenset[str]
    note: str
    basis: str
    source: str

    @property
    def chooses_device(self) -> bool:
        """Whether code written for it leaves the choice of the device to it."""
        return "chooses-device" in self.roles

    @property
    def carries_training(self) -> bool:
        """Whether training that is built on it cannot run without it."""
        return "carries-training" in self.roles


@dataclass(frozen=True, slots=True)
class PackageVerdict:
    """A package of this repository with its answer, and where it is asked for and imported."""

    name: str
    clause: str
    status: str
    answer: str
    from_version: str
    note: str
    is_required: bool
    """Asked for without a condition, or imported on the training path without one."""
    num_imports: int
    num_guarded: int
    places: tuple[tuple[str, int], ...]
    is_inference: bool
    """The verdict is our judgement; nobody published it."""
    source: str


@lru_cache(maxsize=1)
def load_packages() -> Mapping[str, Package]:
    """Return the packages of the table by each of their names."""
    table = {}
    for row in read_rows("packages"):
        names = [canonical(name) for name in row["names"].split()]
        package = Package(
            names[0],
            tuple(row["imports"].split()),
            row["class"],
            row["status"],
            row["answer"],
            row["from_version"],
            frozenset(row["roles"].split()),
            row["note"],
            row["basis"],
            row["source"],
        )
        table.update(dict.fromkeys(names, package))
    return table


@lru_cache(maxsize=1)
def packages_by_import() -> Mapping[str, Package]:
    """Return the packages of the table by what code imports of them (``flash_attn``, ``megatron.core``)."""
    return {name: package for package in load_packages().values() for name in package.imports if name}


def package_of(module: str) -> Package | None:
    """Return the package that a dotted module belongs to, the longest known name first."""
    table = packages_by_import()
    parts = module.split(".")
    return next((table[name] for end in (3, 2, 1) if (name := ".".join(parts[:end])) in table), None)


def judge_packages(files: Sequence[FileFacts], structure: Structure, own: Iterable[str]) -> list[PackageVerdict]:
    """Return a verdict for each package that is asked for or imported, the hardest first.

    ``own`` are the top-level names of the repository's own packages: importing those is no requirement.
    """
    own_names = frozenset(own)
    table = load_packages()
    asked: dict[str, list[tuple[str, int, str, bool]]] = {}
    for facts in files:
        later = structure.areas[facts.path] in (Area.TESTS, Area.DOCS, Area.EXAMPLES)
        for requirement in facts.requirements:
            entry = (requirement.path, requirement.line, requirement.clause, requirement.optional or later)
            known = table.get(requirement.name)
            asked.setdefault(known.name if known else requirement.name, []).append(entry)
    imported: dict[str, list[tuple[str, int, bool, Area]]] = {}
    for facts in files:
        for use in facts.imports:
            top = use.module.split(".")[0]
            package = package_of(use.module)
            if not top or top in own_names or package is None:
                continue
            place = (facts.path, use.line, use.guard is not Guard.NONE, structure.areas[facts.path])
            imported.setdefault(package.name, []).append(place)
    verdicts = [_judge(name, asked.get(name, []), imported) for name in sorted({*asked, *imported} - own_names)]
    return sorted(verdicts, key=lambda v: (tuple(-part for part in _weight(v)), v.name))


def _judge(
    name: str,
    asked: Sequence[tuple[str, int, str, bool]],
    imported: Mapping[str, Sequence[tuple[str, int, bool, Area]]],
) -> PackageVerdict:
    package = load_packages().get(name)
    uses = imported.get(name, ())
    on_path = [use for use in uses if use[3] in (Area.TRAINING, Area.LIBRARY, Area.EXAMPLES)]
    clauses = [clause for _, _, clause, _ in asked if clause]
    places = [(path, line) for path, line, _, _ in asked] + [(path, line) for path, line, _, _ in uses]
    required = any(not optional for *_, optional in asked) or any(not guarded for _, _, guarded, _ in on_path)
    if package is None:
        status, answer, note, basis, source = "unknown", "", "not in the table: test it", "", ""
    else:
        status, answer, note, basis, source = (
            package.status,
            package.answer,
            package.note,
            package.basis,
            expand_source(package.source),
        )
    return PackageVerdict(
        name,
        clauses[0] if clauses else "",
        status,
        answer,
        package.from_version if package else "",
        note,
        required,
        len(on_path),
        sum(guarded for _, _, guarded, _ in on_path),
        tuple(places[:5]),
        basis.startswith("inference"),
        source,
    )


def _weight(verdict: PackageVerdict) -> tuple[int, int, int]:
    hardness = {"none": 5, "fork": 4, "partial": 3, "plugin": 3, "unknown": 1, "works": 0}[verdict.status]
    return hardness, verdict.is_required, verdict.num_imports
