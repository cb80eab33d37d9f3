"""The table of a repository's ``is_..._available`` functions: where one for NPUs joins, and the package that hands it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tianji.catalog.migration import expand_source
from tianji.migration.facts import FileFacts, Guard
from tianji.migration.judging.cuda_names import load_cuda_names
from tianji.migration.judging.findings import Finding, Impact
from tianji.migration.reading.python_names import module_of
from tianji.migration.resolving.areas import Area

SYMBOL = "idiom:availability-table"
LEAST = 5
"""From this many such functions on, a module is the repository's table of them."""


def judge_availability(files: Sequence[FileFacts], areas: Mapping[str, Area]) -> list[Finding]:
    """Return the tables of availability that lack the NPU, and the packages that hand their names on."""
    homes = {module_of(facts.path): facts for facts in files if len(facts.availability) >= LEAST}
    homes = {name: facts for name, facts in homes.items() if not any("npu" in word for word in facts.availability)}
    findings = [_finding(facts.path, min(facts.availability.values()), areas) for facts in homes.values()]
    for facts in files if homes else ():
        if facts.path.endswith("/__init__.py"):
            package = module_of(facts.path)
            lines = [
                entry.line
                for entry in facts.imports
                if entry.name.endswith("_available") and entry.module in homes and entry.module.startswith(package)
            ]
            findings += [_finding(facts.path, min(lines), areas)] if lines else []
    return findings


def _finding(path: str, line: int, areas: Mapping[str, Area]) -> Finding:
    row = load_cuda_names().exact[SYMBOL]
    return Finding(
        path,
        line,
        SYMBOL,
        "",
        Impact.ONE_LINE,
        row.answer,
        row.mechanical,
        row.trap,
        row.category,
        row.needs_change,
        areas[path],
        Guard.NONE,
        expand_source(row.source),
        to_start=row.to_start,
    )
