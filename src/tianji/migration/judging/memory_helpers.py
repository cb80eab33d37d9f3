"""Modules that free or measure memory for others: under CUDA's names they do nothing on an NPU, and nobody is told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from tianji.migration.facts import HARMLESS
from tianji.migration.judging.findings import Finding, Impact
from tianji.migration.resolving.areas import Structure

_MEMORY = re.compile(r"^torch\.cuda\.(?:empty_cache|ipc_collect|memory|max_memory|reset_)")
IMPORTERS = 3
"""From this many files on that import it, a module is a helper of others."""


def judge_memory_helpers(findings: Sequence[Finding], structure: Structure) -> list[Finding]:
    """Return the findings, where those of memory in such a module need a change.

    A training loop that empties CUDA's cache goes on without; what many call to free memory frees none.
    """
    return [replace(f, needs_change=True) if _is_helper(f, structure) else f for f in findings]


def _is_helper(finding: Finding, structure: Structure) -> bool:
    is_met = finding.guard not in HARMLESS and finding.meaning is not Impact.HANDLED
    is_shared = structure.is_changed(finding.path) and structure.importers.get(finding.path, 0) >= IMPORTERS
    return is_met and is_shared and bool(_MEMORY.match(finding.symbol))
