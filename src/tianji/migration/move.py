"""Everything that one report of a move says: the scan, the effort, the versions, and what the target framework covers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from tianji.migration.effort import Effort, count_kernels, estimate_effort
from tianji.migration.mindspore import Coverage, cover_with_mindspore
from tianji.migration.routes import own_version
from tianji.migration.scan import Progress, RepositoryScan, judge_anew, pinned_torch, scan_repository
from tianji.migration.versions import Conflict, VersionSet, find_versions

MINDSPORE = "mindspore"
"""The target whose framework is MindSpore; its chips are those of ``a2``."""
_PARTNERS = {
    "vllm": "vllm_ascend",
    "megatron-core": "mindspeed",
    "megatron-lm": "mindspeed",
    "triton": "triton_ascend",
    "flash-linear-attention": "triton_ascend",
}
"""Package: the component that takes its place on Ascend and has to fit the rest."""


@dataclass(frozen=True, slots=True)
class Move:
    """What a move of a repository meets, costs and needs."""

    scan: RepositoryScan
    effort: Effort
    versions: VersionSet | Conflict
    fallback: VersionSet | None
    """Where the wanted set has a conflict: the newest set without the components that conflict."""
    mindspore: Coverage | None

    def __repr__(self) -> str:
        return f"Move({self.scan.root} to {self.scan.target.key}: {self.effort.route.value})"


def plan_move(
    root: str | os.PathLike[str],
    target: str = "atlas-900-a2",
    torch_version: str | None = None,
    entries: Sequence[str] = (),
    progress: Progress | None = None,
) -> Move:
    """Return what a move of a repository meets, costs and needs; see :func:`scan_repository` for the arguments.

    The target ``mindspore`` adds how far MindSpore covers the PyTorch names that the repository uses. Without a version of torch,
    asked or pinned, names are judged by the torch of the set of versions that fits.
    """
    is_mindspore = target.lower() == MINDSPORE
    scan = scan_repository(root, "a2" if is_mindspore else target, torch_version, entries, progress)
    needed = ("mindspore", "mindformers") if is_mindspore else needed_components(scan)
    wanted = {"torch": torch_version} if torch_version and not is_mindspore else {}
    if not is_mindspore and torch_version is None and (pin := pinned_torch(scan.packages)):
        wanted["torch"] = pin
    if "megatron" in scan.own and not is_mindspore and (version := own_version(scan)):
        wanted["megatron_core"] = version
    versions = find_versions(scan.target.key, wanted, needed)
    fallback = None
    if isinstance(versions, Conflict):
        plain = find_versions(scan.target.key)
        fallback = plain if isinstance(plain, VersionSet) else None
    chosen = fallback if isinstance(versions, Conflict) else versions
    if not is_mindspore and torch_version is None and "torch" not in wanted and chosen and "torch" in chosen.versions:
        scan = judge_anew(scan, chosen.versions["torch"])
    coverage = cover_with_mindspore(scan) if is_mindspore else None
    return Move(scan, estimate_effort(scan), versions, fallback, coverage)


def needed_components(scan: RepositoryScan) -> tuple[str, ...]:
    """Return the components that a repository needs beside torch_npu, from its packages and its own kernels."""
    needed = {_PARTNERS[v.name] for v in scan.packages if v.name in _PARTNERS and v.is_required}
    if scan.own & {"megatron"}:
        needed.add("mindspeed")
    if count_kernels(scan)[0]:
        needed.add("triton_ascend")
    return tuple(sorted(needed))
