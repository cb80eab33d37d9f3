"""Tables of what a move to Ascend meets: names, packages, sets of versions, measured efforts, standards of parity.

Each table is a CSV file under ``data/migration``; ``snapshots.toml`` beside them says where each comes from and as of
when. A folder of the user's (``TIANJI_CATALOG``, with ``migration/`` inside) may hold any of them: a row there takes the
place of the shipped row with the same key. The tables are read when they are first asked for, and rows become objects
when they are looked up: 7,000 rows cost about 20 ms.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from tianji.catalog.entries import find_folders
from tianji.catalog.reader import TomlTable, read_toml
from tianji.errors import FormatError
from tianji.units import MIB

KIND = "migration"
_PREFIX = re.compile(r"\b([A-Z][A-Z0-9]*)>")
MAX_SIZE = int(8 * MIB)
"""Bytes of the largest table that is read; the shipped ones end at 0.8 MiB."""

KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "torch_support": ("name", "torch"),
        "torch_names": ("name",),
        "cuda_names": ("names",),
        "packages": ("names",),
        "versions": ("release_set",),
        "mindspore_names": ("torch",),
        "effort": ("project", "pr", "commit"),
        "repositories": ("project",),
        "class_record": ("called",),
        "breakage": ("order",),
        "standards": ("name",),
        "switches": ("switch",),
    }
)
"""Tables, and the columns whose values name a row."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where a table comes from: its title, the date of the newest source and how to read it."""

    table: str
    title: str
    date: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class TargetFamily:
    """A family of chips as the tables name it; ``chips`` are entries of the catalog."""

    key: str
    title: str
    chips: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Everything that ``snapshots.toml`` says."""

    tables: Mapping[str, Snapshot]
    prefixes: Mapping[str, str]
    targets: Mapping[str, TargetFamily]
    newest_torch: str
    newest_cann: str

    def target_of(self, chip: str) -> TargetFamily | None:
        """Return the family that a chip of the catalog belongs to, or None for one that the tables do not cover."""
        return next((target for target in self.targets.values() if chip in target.chips), None)


@lru_cache(maxsize=1)
def load_snapshots() -> Snapshots:
    """Return where the tables come from, and what their abbreviations stand for."""
    path = Path(__file__).parent / "data" / KIND / "snapshots.toml"
    table = TomlTable(read_toml(path), path.name)
    tables = {}
    for key, entry in _children(table, "tables"):
        tables[key] = Snapshot(key, entry.text("title"), entry.text("date"), entry.text("note", ""))
        entry.finish()
    targets = {}
    for key, entry in _children(table, "targets"):
        targets[key] = TargetFamily(key, entry.text("title"), tuple(entry.texts("chips")))
        entry.finish()
    prefixes = table.child("prefixes")
    assert prefixes is not None
    found = Snapshots(
        MappingProxyType(tables),
        MappingProxyType({key: prefixes.text(key) for key in prefixes.content}),
        MappingProxyType(targets),
        table.text("newest_torch"),
        table.text("newest_cann"),
    )
    table.finish()
    return found


def _children(table: TomlTable, key: str) -> Iterator[tuple[str, TomlTable]]:
    group = table.child(key)
    assert group is not None
    for name in group.content:
        entry = group.child(name)
        assert entry is not None
        yield name, entry


def expand_source(text: str) -> str:
    """Return a source with its abbreviations written out.

    >>> expand_source("T13>torch.md#L9; our inference, no page")
    'https://github.com/Ascend/pytorch/blob/9e73e708ab/docs/zh/api/native_api/pytorch_2-13-0/torch.md#L9; our inference, no page'
    """
    prefixes = load_snapshots().prefixes
    return _PREFIX.sub(lambda match: prefixes.get(match[1], match[0]), text)


def read_rows(table: str) -> Sequence[Mapping[str, str]]:
    """Return the rows of a table, the user's own in place of shipped rows with the same key.

    Raises FormatError, with the file and the line, for a table that is missing a column, too large or not text.
    """
    key = KEYS[table]
    rows: dict[tuple[str, ...], Mapping[str, str]] = {}
    columns: Sequence[str] = ()
    for folder, shipped in reversed(find_folders(KIND)):
        path = folder / f"{table}.csv"
        if shipped or path.is_file():
            columns, lines = _read_file(path, columns)
            rows.update((tuple(row[k] for k in key), row) for row in lines)
    return list(rows.values())


def _read_file(path: Path, columns: Sequence[str]) -> tuple[Sequence[str], list[dict[str, str]]]:
    """Return a file's columns and rows; ``columns`` are those of the shipped table, which it must have as well."""
    try:
        if path.stat().st_size > MAX_SIZE:
            raise FormatError(f"{path}: is over {MAX_SIZE:,} bytes; expected a table like those that ship with Tianji")
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            if missing := [name for name in columns if name not in header]:
                raise FormatError(f"{path}, line 1: missing column {missing[0]!r}; expected {', '.join(columns)}")
            lines = []
            for cells in reader:
                if len(cells) != len(header):
                    raise FormatError(f"{path}, line {reader.line_num}: expected {len(header)} cells, got {len(cells)}")
                lines.append(dict(zip(header, cells, strict=True)))
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); expected a table in CSV") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path}: not a table in CSV and UTF-8 ({error})") from None
    return columns or header, lines
