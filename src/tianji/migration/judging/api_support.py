"""PyTorch names that a repository uses, looked up in the vendor's tables for a chip and a version."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from tianji.catalog.migration import expand_source, load_snapshots, read_rows
from tianji.errors import FormatError
from tianji.migration.facts import FileFacts
from tianji.migration.judging.findings import Impact

TRAINED_IN = ("bf16", "fp16", "fp32")
"""Dtypes whose absence matters to training."""
_NUMERICS = re.compile(r"differ|precision|not identical|order of", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ApiUse:
    """One PyTorch name with its verdict and the places that use it."""

    name: str
    meaning: Impact
    is_verified: bool
    """False where the tables have not verified this chip yet."""
    says: str
    places: tuple[tuple[str, int], ...]
    num_uses: int
    source: str
    by_method: bool = False
    """Known by the name of a method alone: what it is called on is not resolved."""


@dataclass(frozen=True, slots=True)
class _Support:
    versions: tuple[str, ...]
    row: Mapping[str, str]


@lru_cache(maxsize=1)
def load_support() -> Mapping[str, tuple[_Support, ...]]:
    """Return the vendor's rows by name; a name has one row for each group of torch versions."""
    table: dict[str, list[_Support]] = {}
    for row in read_rows("torch_support"):
        table.setdefault(row["name"], []).append(_Support(tuple(row["torch"].split()), row))
    return {name: tuple(rows) for name, rows in table.items()}


@lru_cache(maxsize=1)
def load_unlisted() -> Mapping[str, tuple[str, str]]:
    """Return names that repositories use and the vendor does not list: their class and what they stand for."""
    return {row["name"]: (row["class"], row["alias_of"]) for row in read_rows("torch_names")}


def release_key(version: str) -> tuple[int, ...]:
    """Return a version as numbers to compare, read as far as it is written in numbers.

    >>> release_key("2.10.0.post4") > release_key("2.9")
    True
    """
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+", maxsplit=1)[0])[:3])


def choose_version(asked: str | None) -> tuple[str, str]:
    """Return the version of the tables that answers for a version of torch, and a note where it is another.

    >>> choose_version("2.10.0")
    ('2.10', '')
    """
    newest = load_snapshots().newest_torch
    if asked is None:
        return newest, f"torch {newest}, the newest that the tables know, in the absence of --torch"
    if not release_key(asked):
        raise FormatError(f"--torch {asked:.40}: expected a version, like 2.10")
    known = {version for rows in load_support().values() for support in rows for version in support.versions} - {"any"}
    wanted = release_key(asked)[:2]
    for version in known:
        if release_key(version)[:2] == wanted:
            return version, ""
    if wanted > release_key(newest)[:2]:
        return newest, f"torch {asked} is newer than the tables know; judged as {newest}"
    below = [version for version in known if release_key(version)[:2] <= wanted] or [min(known, key=release_key)]
    nearest = max(below, key=release_key)
    return nearest, f"torch {asked} is in no table; judged as {nearest}"


def judge_apis(files: Iterable[FileFacts], target: str, version: str) -> list[ApiUse]:
    """Return every PyTorch name that the files use with its verdict on a chip and a version of the tables.

    Methods are matched by their name alone, and only those that trouble Ascend and that no list, text or array has.
    """
    names: dict[str, list[tuple[str, int]]] = {}
    methods: dict[str, list[tuple[str, int]]] = {}
    for facts in files:
        for name, lines in facts.names.items():
            if name.startswith("torch.") and not name.startswith("torch.cuda"):
                names.setdefault(name, []).extend((facts.path, line) for line in lines)
        if any(entry.module.split(".")[0] == "torch" for entry in facts.imports):
            for name, lines in facts.methods.items():
                methods.setdefault(name, []).extend((facts.path, line) for line in lines)
    uses = [_judge_name(name, places, target, version) for name, places in sorted(names.items())]
    uses += [
        use
        for name, places in sorted(methods.items())
        if name not in _AMBIGUOUS and f"torch.Tensor.{name}" in load_support()
        for use in [_judge_name(f"torch.Tensor.{name}", places, target, version, by_method=True)]
        if use.meaning in (Impact.REWRITE, Impact.CPU_FALLBACK)
    ]
    return uses


_ALSO_ARRAYS = """
    all any apply close copy data dump flush get item load map mean median mode name numpy put read register_hook reset
    rename save set shape size std step stop storage sum swapaxes take to type update var view write isin
"""
_AMBIGUOUS = frozenset((*dir(str), *dir(list), *dir(dict), *dir(set), *_ALSO_ARRAYS.split()))
"""Methods that texts, lists, tables, arrays and files have as well."""


def _judge_name(name: str, places: list[tuple[str, int]], target: str, version: str, by_method: bool = False) -> ApiUse:
    listed = find_support(name, version)
    if listed is None:
        kind, alias = load_unlisted().get(name, ("", ""))
        if alias:
            listed = find_support(alias, version)
        if listed is None:
            meaning = Impact.WORKS if kind in ("dtype", "namespace", "python_level", "alias") else Impact.UNKNOWN
            says = {"dtype": "a dtype; limits are each operator's", "python_level": "no kernel of its own"}.get(
                kind, ""
            )
            return ApiUse(name, meaning, True, says, tuple(places[:5]), len(places), "", by_method)
    meaning, says = _read_support(listed, target)
    verified = target != "950dt" or listed["950dt"] == "y"
    source = expand_source(listed["source"])
    return ApiUse(name, meaning, verified, says, tuple(places[:5]), len(places), source, by_method)


def find_support(name: str, version: str) -> Mapping[str, str] | None:
    """Return the vendor's row of a name for a version of the tables, the newest where that version has none."""
    rows = load_support().get(name)
    if rows is None:
        return None
    for support in rows:
        if version in support.versions or "any" in support.versions:
            return support.row
    return max(rows, key=lambda support: max(map(release_key, support.versions))).row


def _read_support(row: Mapping[str, str], target: str) -> tuple[Impact, str]:
    flags = row["flags"].split()
    limits = row["limits"]
    dtypes = row["dtypes"].split()
    if row["support"] == "no" or row[target] == "n":
        return Impact.REWRITE, limits or "listed as not supported"
    if "cpu" in flags:
        return Impact.CPU_FALLBACK, limits or "may fall back to the CPU"
    if "inf_nan" in flags or _NUMERICS.search(limits):
        return Impact.NUMERICS, limits or "inf and nan are handled differently"
    missing = [dtype for dtype in TRAINED_IN if dtypes and dtype not in dtypes]
    if row["weight"] in ("normal", "strong") and missing and "fp32" in dtypes:
        return Impact.DTYPE, f"no {', '.join(missing)}" + (f"; {limits}" if limits else "")
    return Impact.WORKS, limits
