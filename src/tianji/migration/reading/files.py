"""Walk a repository safely: no link leads out of it, nothing is larger than a limit, and bytes of any kind are text."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from tianji.errors import FormatError
from tianji.migration.facts import FileKind
from tianji.units import MIB

MAX_FILES = 60_000
"""Files that are read; the largest training repositories have a tenth of it."""
MAX_ENTRIES = 1_000_000
"""Names that are looked at before a walk ends."""
MAX_BYTES = int(2 * MIB)
"""Bytes of one file; generated tables and data are larger, code is not."""
MAX_DEPTH = 40

_TOOLS = """
    .git .hg .svn .tox .venv venv node_modules __pycache__ .mypy_cache .pytest_cache .ruff_cache .eggs occurrence-packages
"""
SKIPPED = frozenset(_TOOLS.split())
"""Folders that tools make, and that are no part of a repository."""
_SUFFIXES = {
    ".py": FileKind.PYTHON,
    ".pyi": None,
    ".sh": FileKind.SHELL,
    ".bash": FileKind.SHELL,
    ".slurm": FileKind.SHELL,
    ".sbatch": FileKind.SHELL,
    ".yaml": FileKind.CONFIG,
    ".yml": FileKind.CONFIG,
    ".cu": FileKind.CUDA,
    ".cuh": FileKind.CUDA,
}
_REQUIREMENTS = frozenset(
    {"pyproject.toml", "setup.cfg", "environment.yml", "environment.yaml", "pipfile", "version.txt", "version"}
)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that is worth reading, with its path inside the repository (slashes on every system)."""

    path: str
    place: Path
    kind: FileKind


@dataclass(slots=True)
class Walk:
    """The files of a repository, and what was left out with the reason."""

    root: Path
    files: list[SourceFile] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    num_entries: int = 0


def walk_repository(root: str | os.PathLike[str]) -> Walk:
    """Return the files of a repository that a move depends on, in the order of their paths.

    Links are never followed, whatever they point to. Raises FormatError for what is no folder.
    """
    place = Path(root)
    try:
        is_folder = place.is_dir()
    except (OSError, ValueError):
        is_folder = False
    if not is_folder:
        raise FormatError(f"{str(root)[:200]}: no such folder; expected the folder of a repository")
    walk = Walk(place)
    _walk_folder(walk, place, "", 0)
    if walk.left_out and not walk.num_entries:
        raise FormatError(f"{place}: {walk.left_out[0][1]}; expected the folder of a repository")
    if not walk.num_entries:
        raise FormatError(f"{place}: is empty; expected the folder of a repository")
    return walk


def _walk_folder(walk: Walk, folder: Path, inside: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        walk.left_out.append((inside, f"nested deeper than {MAX_DEPTH} folders"))
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        walk.left_out.append((inside or ".", f"cannot be read ({error.strerror})"))
        return
    for entry in entries:
        walk.num_entries += 1
        if walk.num_entries > MAX_ENTRIES or len(walk.files) >= MAX_FILES:
            walk.left_out.append((inside or ".", f"the rest of it: over {MAX_FILES:,} files"))
            return
        # A name may hold bytes that are no text; it is shown with replacements and opened as it is.
        path = f"{inside}/{_as_text(entry.name)}" if inside else _as_text(entry.name)
        try:
            if entry.is_symlink():
                if _kind_of(entry.name) is not None:
                    walk.left_out.append((path, "a link; links are not followed"))
            elif entry.is_dir(follow_symlinks=False):
                if entry.name not in SKIPPED and not entry.name.endswith(".egg-info"):
                    _walk_folder(walk, folder / entry.name, path, depth + 1)
            elif entry.is_file(follow_symlinks=False):
                _add_file(walk, entry, folder, path)
        except OSError as error:
            walk.left_out.append((path, f"cannot be read ({error.strerror})"))


def _add_file(walk: Walk, entry: os.DirEntry[str], folder: Path, path: str) -> None:
    kind = _kind_of(entry.name)
    if kind is None:
        return
    size = entry.stat(follow_symlinks=False).st_size
    if size > MAX_BYTES:
        walk.left_out.append((path, f"{size:,} bytes; files over {MAX_BYTES:,} are not read"))
        return
    walk.files.append(SourceFile(path, folder / entry.name, kind))


def _kind_of(name: str) -> FileKind | None:
    lower = name.lower()
    if "dockerfile" in lower and not lower.endswith((".py", ".md")):
        return FileKind.DOCKERFILE
    if lower in _REQUIREMENTS or ("requirement" in lower and lower.endswith((".txt", ".in"))):
        return FileKind.REQUIREMENTS
    return _SUFFIXES.get(os.path.splitext(lower)[1])


def _as_text(name: str) -> str:
    text = name.encode("utf-8", "replace").decode("utf-8")
    # A name is a stranger's: what it may order a terminal to do stays out of every report.
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def read_text(file: SourceFile) -> str:
    """Return a file's text; bytes that are not UTF-8 become replacement characters, a byte order mark goes."""
    with file.place.open("rb") as stream:
        raw = stream.read(MAX_BYTES + 1)
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace")
    return raw.decode("utf-8-sig", "replace")
