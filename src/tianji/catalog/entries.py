"""Find the files of the catalog: those that come with Tianji and those of the user's own folders.

``TIANJI_CATALOG`` lists folders of the user's, each with ``chips/``, ``pools/`` or ``models/`` inside. They are looked
through first, so that an entry of the same name there takes the place of the shipped one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tianji.catalog.reader import TomlTable, read_toml
from tianji.catalog.sources import load_sources
from tianji.errors import FormatError, UnknownNameError

DATA = Path(__file__).parent / "data"
ENVIRONMENT = "TIANJI_CATALOG"
MAX_CHAIN = 8
"""Entries that may stand on each other through ``like``."""

_SINGULAR = {
    "chips": "chip",
    "pools": "pool",
    "models": "model",
    "calibrations": "calibration",
    "failures": "failure profile",
    "mixtures": "mixture",
    "prices": "price list",
    "sites": "site",
    "ownership": "set of ownership terms",
    "power": "set of power figures",
    "software": "software",
}
_MERGED = ("peak", "vector_peak", "rents", "facts", "unknown")
"""Tables of figures, which ``like`` fills figure by figure; anything else is taken whole."""


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One file of the catalog; ``shipped`` is false for a user's own."""

    path: Path
    shipped: bool

    def version(self) -> tuple[str, int, int]:
        """Return what changes when the file does, for caches."""
        try:
            stat = self.path.stat()
        except (OSError, ValueError):
            return str(self.path), 0, 0
        return str(self.path), stat.st_mtime_ns, stat.st_size


def find_folders(kind: str) -> list[tuple[Path, bool]]:
    """Return the folders that hold entries of a kind, the user's own first, and whether each is the shipped one.

    Raises FormatError for a folder of the user's that is not there.
    """
    return [*((folder / kind, False) for folder in own_folders()), (DATA / kind, True)]


def own_folders() -> list[Path]:
    """Return the folders of the user's that TIANJI_CATALOG lists.

    Raises FormatError for one that is not there: its entries would be missed in silence.
    """
    # os.path leaves a ~ of nobody as it is, and finds nothing under a name that no file system takes.
    names = os.environ.get(ENVIRONMENT, "").split(os.pathsep)
    own = [Path(os.path.expanduser(name)) for name in names if name]
    for folder in own:
        if not os.path.isdir(folder):
            raise FormatError(f"{ENVIRONMENT}: {folder} is no folder; make it, or take it out of the variable")
    return own


def list_entries(kind: str) -> tuple[str, ...]:
    """Return the names of all entries of a kind, without opening any."""
    return tuple(sorted({path.stem for folder, _ in find_folders(kind) for path in folder.glob("*.toml")}))


def is_path(name: str) -> bool:
    """Return whether a text names a file, in place of an entry of the catalog."""
    return name.endswith(".toml") or "/" in name or os.sep in name


def is_there(path: Path) -> bool:
    """Return whether a file or a folder is there; none is under a name that no file system takes."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def find_entry(kind: str, name: str | os.PathLike[str], beside: Path | None = None) -> CatalogEntry:
    """Return the file that a name or a path stands for; a relative path counts from the folder ``beside``, if given.

    Raises UnknownNameError for a name that no folder holds. A path is not opened here.
    """
    text = os.fspath(name)
    if not isinstance(name, str) or is_path(text):
        path = Path(text)
        return CatalogEntry(path if beside is None else beside / path, shipped=False)
    wanted = text.strip().lower()
    for folder, shipped in find_folders(kind):
        for path in (folder / f"{text}.toml", folder / f"{wanted}.toml"):
            if is_there(path):
                return CatalogEntry(path, shipped)
    hint = "A file of your own is given by its path, with the ending .toml (docs/catalog.md)."
    others = [other for other in ("chips", "pools") if other != kind and wanted in list_entries(other)]
    if others:
        hint = f"There is a {_SINGULAR[others[0]]} of that name (`tianji browse {others[0]} {wanted}`). {hint}"
    if kind == "pools" and wanted in list_entries("mixtures"):
        hint = f"There is a mixture of that name, and a pool of one chip is asked for: `tianji plan` takes mixtures. {hint}"
    counted = re.fullmatch(r"([\d_,]+)\s*[x×]\s*(.+)", wanted)
    if counted and counted[2] in list_entries(kind):
        hint = f"The number of chips is an option here: {counted[2]} --chips {counted[1]}. {hint}"
    if kind == "pools" and "+" in wanted:
        hint = (
            "Unlike chips are a mixture: pools with their chips, like 256xhgx-h800+128xatlas-900-a2, or a file"
            " (`tianji browse mixtures`; docs/catalog.md)."
        )
    raise UnknownNameError(_SINGULAR[kind], text, list_entries(kind), hint)


def read_entry(kind: str, entry: CatalogEntry) -> TomlTable:
    """Return the content of an entry, with what it takes over from others through ``like``.

    Raises FormatError when the file cannot be read, has another name than its file in a folder of the catalog, or when entries
    are like each other in a circle.
    """
    content = _read_chain(kind, entry, 0)
    name, stem = content.get("name"), entry.path.stem
    if entry.path.parent in {folder for folder, _ in find_folders(kind)} and isinstance(name, str) and name != stem:
        raise FormatError(
            f"{entry.path}: name: expected {stem!r}, as the file is called, got {name!r}; change one of them"
        )
    return TomlTable(content, str(entry.path), sources=load_sources() if entry.shipped else None)


def read_text(kind: str, name: str | os.PathLike[str]) -> str:
    """Return the file of an entry as it is written, to copy and change."""
    entry = find_entry(kind, name)
    read_toml(entry.path)
    return entry.path.read_text(encoding="utf-8")


def _read_chain(kind: str, entry: CatalogEntry, depth: int) -> dict[str, object]:
    content = read_toml(entry.path)
    chip = content.get("chip") if kind == "pools" else None
    if isinstance(chip, str) and is_path(chip):
        content["chip"] = str(entry.path.parent / chip)
    elif isinstance(chip, dict):
        content["chip"] = _stand_on("chips", chip, entry.path, depth)
    return _stand_on(kind, content, entry.path, depth)


def _stand_on(kind: str, content: dict[str, object], path: Path, depth: int) -> dict[str, object]:
    """Return a table with what it takes over from the entry that it is ``like``."""
    like = content.pop("like", None)
    if like is None:
        return content
    if not isinstance(like, str):
        raise FormatError(f"{path}: like: expected the name or the path of a {_SINGULAR[kind]}, got {like!r:.60}")
    if depth == MAX_CHAIN:
        raise FormatError(f"{path}: like: more than {MAX_CHAIN} entries stand on each other; is it a circle?")
    below = find_entry(kind, like, beside=path.parent)
    return _merge(_read_chain(kind, below, depth + 1), content)


def _merge(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    merged = {**below, **above}
    for key in _MERGED:
        base, own = below.get(key), above.get(key)
        if isinstance(base, dict) and isinstance(own, dict):
            merged[key] = {**base, **own}
    unknown = merged.get("unknown")
    if isinstance(unknown, dict):
        # What the entry itself supplies is no longer unknown.
        merged["unknown"] = {k: v for k, v in unknown.items() if not _supplies(above, k)}
    return merged


def _supplies(content: Mapping[str, object], dotted: str) -> bool:
    head, _, tail = dotted.partition(".")
    inner = content.get(head)
    return inner is not None if not tail else isinstance(inner, dict) and tail in inner
