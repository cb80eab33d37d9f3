"""Calls of libraries that exist for CUDA: attention kernels, fused optimisers, quantisation, monitoring."""

from __future__ import annotations

from tianji.catalog.migration import expand_source
from tianji.migration.facts import FileFacts, FileKind, Guard
from tianji.migration.judging.cuda_names import CudaName, load_cuda_names
from tianji.migration.judging.findings import Finding, Impact
from tianji.migration.resolving.areas import Area

_SITES = ("torch.cuda", "torch.backends", "torch.version.cuda")
"""Names that are occurrences of their own already."""


def judge_libraries(facts: FileFacts, area: Area, target: str, own: frozenset[str]) -> list[Finding]:
    """Return what a file's uses of CUDA's libraries mean; one finding for each name, at its first line."""
    if facts.kind is not FileKind.PYTHON:
        return []
    table = load_cuda_names()
    uses: dict[str, tuple[int, int, Guard]] = {}
    guards: dict[str, Guard] = {}
    for entry in facts.imports:
        top = entry.module.split(".")[0]
        if top in table.tops and top not in own and top != "torch":
            symbol = f"{entry.module}.{entry.name}" if entry.name else entry.module
            guards[top] = entry.guard
            uses.setdefault(symbol, (entry.line, 1, entry.guard))
    for name, lines in facts.names.items():
        top = name.split(".")[0]
        if name.startswith(_SITES) or top in own or (top != "torch" and top not in guards):
            continue
        if (row := table.find(name)) is None:
            continue
        if top != "torch" and name in uses:
            line, _, guard = uses[name]
            uses[name] = (line, len(lines), guard)
        elif top == "torch":
            uses[name] = (lines[0], len(lines), Guard.NONE)
    findings = []
    for symbol, (line, count, guard) in sorted(uses.items()):
        if (row := table.find(symbol)) is not None:
            findings.append(_judge(facts, symbol, row, line, count, guard, area))
    return findings


def _judge(facts: FileFacts, symbol: str, row: CudaName, line: int, count: int, guard: Guard, area: Area) -> Finding:
    meaning = {"impossible": Impact.IMPOSSIBLE, "rewrite": Impact.REWRITE, "automatic": Impact.WORKS}.get(
        row.mechanical, Impact.ONE_LINE
    )
    if row.key.startswith(("torch.float64", "torch.double", "torch.complex", "torch.view_as_complex", "torch.polar")):
        meaning = Impact.DTYPE
    return Finding(
        facts.path,
        line,
        symbol,
        "",
        meaning,
        row.answer,
        row.mechanical,
        row.trap,
        row.category,
        # What a package lacks is decided once, with the package; the files that call it mostly stay.
        row.needs_change and symbol.startswith("torch.") and facts.num_kernels == 0,
        area,
        guard,
        expand_source(row.source),
        count,
    )
