"""Scan a repository: read it, find its order, judge every occurrence, and sum up what a move takes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tianji.catalog.migration import TargetFamily, load_snapshots
from tianji.errors import UnknownNameError
from tianji.migration.facts import FileFacts, FileKind
from tianji.migration.judging.api_support import ApiUse, choose_version, judge_apis
from tianji.migration.judging.availability import judge_availability
from tianji.migration.judging.findings import Finding, judge_occurrence
from tianji.migration.judging.frameworks import framework_of, frameworks_of, own_names
from tianji.migration.judging.libraries import judge_libraries
from tianji.migration.judging.memory_helpers import judge_memory_helpers
from tianji.migration.judging.packages import PackageVerdict, judge_packages
from tianji.migration.reading import read_file, walk_repository
from tianji.migration.resolving import Area, Structure, resolve_structure

_NPU = re.compile(r"(?:^|_)npu|npu(?:_|$)")
Progress = Callable[[int, int], None]
"""Called with files read and files in all."""


@dataclass(frozen=True, slots=True)
class RepositoryScan:
    """All that a scan says of a repository, for one target."""

    root: str
    target: TargetFamily
    torch_version: str
    notes: tuple[str, ...]
    files: tuple[FileFacts, ...]
    structure: Structure
    findings: tuple[Finding, ...]
    apis: tuple[ApiUse, ...]
    packages: tuple[PackageVerdict, ...]
    frameworks: dict[str, int]
    own: frozenset[str]
    left_out: tuple[tuple[str, str], ...]

    @property
    def num_lines(self) -> int:
        """Lines of Python."""
        return sum(facts.num_lines for facts in self.files if facts.kind is FileKind.PYTHON)

    @property
    def files_to_change(self) -> tuple[str, ...]:
        """Python files to change: on the training path, in the library, and scripts apart, which a person starts."""
        return self._files(lambda f: self.structure.is_changed(f.path) or f.area is Area.SCRIPTS)

    @property
    def files_on_path(self) -> tuple[str, ...]:
        """Those of them that are on the training path or in the library, examples among them: a move's size."""
        return self._files(lambda f: self.structure.is_changed(f.path))

    @property
    def files_to_start(self) -> tuple[str, ...]:
        """Those of them that nothing starts without: reached from an entry point, and choosing the device or its back-end.

        All of those on the path where no file chooses; the rest is met when it is used.
        """
        reached = self.structure.reached if self.structure.entries else frozenset(self.files_on_path)
        choosing = self._files(lambda f: f.to_start and f.path in reached and self.structure.is_changed(f.path))
        return choosing or self.files_on_path

    def _files(self, is_named: Callable[[Finding], bool]) -> tuple[str, ...]:
        named = {f.path for f in self.findings if f.needs_change and f.path.endswith(".py") and is_named(f)}
        return tuple(sorted(named))

    @property
    def num_occurrences(self) -> int:
        """Places in Python outside tests and documents that name CUDA, however harmless."""
        apart = (Area.TESTS, Area.DOCS)
        return sum(f.count for f in self.findings if f.path.endswith(".py") and f.area not in apart)

    @property
    def has_npu(self) -> bool:
        """Whether the repository already has code for NPUs on its training path."""
        return any(
            entry.module.split(".")[0] in ("torch_npu", "mindspeed") or _NPU.search(entry.name.lower())
            for facts in self.files
            for entry in facts.imports
            if self.structure.is_changed(facts.path)
        )


def pinned_torch(packages: Sequence[PackageVerdict]) -> str:
    """Return the version to which requirements pin PyTorch, or an empty text where they leave a choice."""
    clause = next((verdict.clause for verdict in packages if verdict.name == "torch"), "")
    match = re.fullmatch(r"===?\s*(\d+(?:\.\d+)+)(?:\+\w+)?", clause)
    return match[1] if match else ""


def find_target(name: str) -> TargetFamily:
    """Return the family of chips that a name stands for: a pool, a chip or a family of the tables.

    >>> find_target("atlas-900-a2").title
    'Ascend A2 (910B)'

    Raises UnknownNameError for anything that is no Ascend of the tables.
    """
    from tianji.catalog import list_pools, load_pool

    targets = load_snapshots().targets
    if name.lower() in targets:
        return targets[name.lower()]
    chip = load_pool(name).chip.name if name in list_pools() else name
    found = load_snapshots().target_of(chip)
    if found is None:
        pools = [pool for pool in list_pools() if load_snapshots().target_of(load_pool(pool).chip.name)]
        raise UnknownNameError("target of a move", name, [*pools, *targets, "mindspore"])
    return found


def scan_repository(
    root: str | os.PathLike[str],
    target: str = "atlas-900-a2",
    torch_version: str | None = None,
    entries: Sequence[str] = (),
    progress: Progress | None = None,
) -> RepositoryScan:
    """Return what a move of a repository to a target meets.

    Args:
        root: Folder of the repository. Its files are parsed; nothing of it is run or imported, and no link is followed.
        target: A pool of the catalog with Ascend chips, or a family (``a2``, ``a3``, ``950dt``).
        torch_version: Version of torch on the target, like ``2.10``; without it the one that the requirements pin, or else
            the newest that the tables know.
        entries: Python files of the repository to start from; without them, they are found by their names.
        progress: Called after each file.

    Raises FormatError for what is no repository, UnknownNameError for an unknown target.
    """
    family = find_target(target)
    walk = walk_repository(root)
    files = []
    for index, file in enumerate(walk.files, 1):
        files.append(read_file(file))
        if progress is not None:
            progress(index, len(walk.files))
    structure = resolve_structure(files, entries)
    own = own_names(files)
    findings: list[Finding] = []
    for facts in files:
        area = structure.areas[facts.path]
        # An example of a framework leaves the choice of the device to it, which the framework's own code does not.
        framework = framework_of(facts, frozenset() if area is Area.EXAMPLES else own)
        for occurrence in facts.occurrences:
            if (finding := judge_occurrence(occurrence, facts, area, framework, family.key)) is not None:
                findings.append(finding)
        findings += judge_libraries(facts, area, family.key, own)
    findings += judge_availability(files, structure.areas)
    findings = judge_memory_helpers(findings, structure)
    packages = tuple(judge_packages(files, structure, own))
    pin = pinned_torch(packages) if torch_version is None else ""
    version, note = choose_version(torch_version or pin or None)
    if pin:
        note = f"the requirements pin torch {pin}: names and versions are judged by it" + (f"; {note}" if note else "")
    problems = [(facts.path, facts.problem) for facts in files if facts.problem]
    return RepositoryScan(
        root=str(root),
        target=family,
        torch_version=version,
        notes=(note,) if note else (),
        files=tuple(files),
        structure=structure,
        findings=tuple(findings),
        apis=tuple(judge_apis(_beside_tests(files, structure), family.key, version)),
        packages=packages,
        frameworks=frameworks_of(files, own),
        own=own,
        left_out=(*walk.left_out, *problems),
    )


def judge_anew(scan: RepositoryScan, torch: str) -> RepositoryScan:
    """Return a scan whose PyTorch names are judged by the torch of the versions to install."""
    version, note = choose_version(torch)
    note = note or f"torch {version}, that of the newest set of versions that fits, in the absence of --torch"
    apis = tuple(judge_apis(_beside_tests(scan.files, scan.structure), scan.target.key, version))
    return replace(scan, torch_version=version, notes=(note,), apis=apis)


def _beside_tests(files: Sequence[FileFacts], structure: Structure) -> list[FileFacts]:
    return [facts for facts in files if structure.areas[facts.path] not in (Area.TESTS, Area.DOCS)]
