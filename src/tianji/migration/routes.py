"""How a repository comes to Ascend: by changing its code, by a plugin, by itself, or not before a dependency is solved."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from tianji.formatting import count_noun
from tianji.migration.facts import FileKind, Guard
from tianji.migration.judging.api_support import release_key
from tianji.migration.judging.packages import Package, load_packages, package_of
from tianji.migration.resolving import Area
from tianji.migration.scan import RepositoryScan

_COUNTED = (Area.TRAINING, Area.LIBRARY)
"""Groups whose imports can block."""


class Route(StrEnum):
    """How a repository comes to Ascend."""

    CODE = "change its code"
    PLUGIN = "plugin"
    """A package patches it at import; its own code stays."""
    NATIVE = "supported by itself"
    BLOCKED = "blocked by a dependency"
    UNREAD = "not judged"
    """No Python could be read, or none of it uses PyTorch: what a scan does not see it does not call small."""


def find_blockers(scan: RepositoryScan) -> tuple[str, ...]:
    """Return what stops training outright: packages that carry it and have no answer.

    A package carries it where at least one in twenty files of the training path and the library imports it as they load.
    """
    table = load_packages()
    path = [facts for facts in scan.files if scan.structure.areas[facts.path] in _COUNTED]
    counts: dict[str, int] = {}
    for facts in path:
        loaded = {p.name for entry in facts.imports if entry.guard is Guard.NONE and (p := package_of(entry.module))}
        for name in loaded:
            counts[name] = counts.get(name, 0) + 1
    return tuple(
        f"{name}: {count} files import it as they load, and {table[name].note or 'it has no answer on Ascend'}"
        for name, count in sorted(counts.items(), key=lambda item: -item[1])
        if table[name].carries_training and table[name].status == "none" and not set(table[name].imports) & scan.own
        if count >= max(2, len(path) // 20)
    )


def find_own_package(scan: RepositoryScan) -> Package | None:
    """Return the package of the table that this repository is, or None."""
    # Forks from before Megatron's core have none of the names that MindSpeed patches.
    own = scan.own - {"megatron"} | {"megatron.core"}
    tops = {name for name in own if any(_is_top(facts.path, name) for facts in scan.files)}
    rows = [p for p in dict.fromkeys(load_packages().values()) if set(p.imports) & tops]
    # Of several entries the one that says how it is plugged in.
    return max(rows, key=lambda package: (package.status == "plugin", "import" in package.answer)) if rows else None


def _is_top(path: str, name: str) -> bool:
    folder = name.replace(".", "/")
    return path.startswith((f"{folder}/", f"src/{folder}/"))


def own_version(scan: RepositoryScan) -> str:
    """Return the version of the repository's own package, or an empty text."""
    stated = [facts for facts in scan.files if facts.version]
    return min(stated, key=lambda facts: (facts.path.count("/"), facts.path)).version if stated else ""


def choose_route(scan: RepositoryScan, own: Package | None, blockers: Sequence[str]) -> tuple[Route, str]:
    """Return how a repository comes to Ascend, with what takes it over, blocks it or keeps it from being judged."""
    if why := describe_unread(scan):
        return Route.UNREAD, why
    if blockers:
        return Route.BLOCKED, "; ".join(blockers)
    if own is not None and own.status in ("plugin", "works"):
        needed, version = _first_version(own.from_version), own_version(scan)
        reaches = not needed or (bool(version) and _is_at_least(version, needed))
        if own.status == "plugin" and (reaches or not version):
            return Route.PLUGIN, own.answer
        if own.status == "works" and needed and reaches and scan.has_npu:
            return Route.NATIVE, f"{own.name} {version} runs on NPUs by itself (from {own.from_version})"
    return Route.CODE, ""


def describe_unread(scan: RepositoryScan) -> str:
    """Return why a repository cannot be judged and what to do about it, or an empty text where it can."""
    python = [facts for facts in scan.files if facts.kind is FileKind.PYTHON and not facts.problem]
    if scan.findings or any(package_of(entry.module) for facts in python for entry in facts.imports):
        return ""
    advice = "A scan judges training code for PyTorch: give the folder that holds it"
    if python:
        return (
            f"none of its {count_noun(len(python), 'Python file')} imports PyTorch or a library built on it. {advice}"
        )
    unread = [f"{path} {reason}" for path, reason in scan.left_out if path.endswith(".py")]
    if unread:
        return f"none of its {count_noun(len(unread), 'Python file')} could be read, such as {unread[0]}"
    rest = f"; left out: {scan.left_out[0][0]}, {scan.left_out[0][1]}" if scan.left_out else ""
    return f"no Python was found{rest}. {advice}"


def _first_version(text: str) -> str:
    match = re.search(r"\d+\.\d+(?:\.\d+)?", text)
    return match[0] if match else ""


def _is_at_least(version: str, needed: str) -> bool:
    """Return whether a version reaches another; one before its release (dev, rc) does not reach it.

    >>> _is_at_least("0.21.0.dev0", "0.21.0"), _is_at_least("0.22", "0.21.0")
    (False, True)
    """
    stated, other = release_key(version), release_key(needed)
    width = max(len(stated), len(other))
    stated, other = stated + (0,) * (width - len(stated)), other + (0,) * (width - len(other))
    return stated > other or (stated == other and not re.search(r"dev|rc|a\d|b\d", version))
