"""Configurations that a launch names: those that it writes itself, and those that lie beside it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tianji.errors import FormatError
from tianji.exporters.formats.yaml_text import check_size, parse_documents
from tianji.exporters.launch_reader.shell_script import Script
from tianji.exporters.launch_reader.shell_sources import find_source
from tianji.input_files import read_text

DEEPEST = 6
"""Sections within sections that are laid over each other, or filled in."""


def make_reader(file: Path, script: Script | None = None) -> Callable[[str], dict[str, Any] | None]:
    """Return what reads a configuration that a launch names; one that the script writes itself comes first."""
    written = script.written if script else {}

    def read(name: str) -> dict[str, Any] | None:
        if name in written:
            return load_body(written[name], Path(name))
        place = find_source(name, file) if name else None
        return load_body(read_text(place, "a configuration"), place) if place else None

    return read


def take_in(name: str, file: Path, where: str, script: Script | None = None) -> dict[str, Any]:
    """Return a configuration that a launch names: one that its script writes itself, or one that lies beside it.

    Raises FormatError where it is not there.
    """
    body = make_reader(file, script)(name)
    if body is None:
        raise _name_missing(name, where)
    return body


def read_beside(name: str, file: Path, where: str) -> str:
    """Return the text of a configuration that lies beside a launch.

    Raises FormatError where it is not there.
    """
    place = find_source(name, file) if name else None
    if place is None:
        raise _name_missing(name, where)
    return read_text(place, "a configuration")


def _name_missing(name: str, where: str) -> FormatError:
    return FormatError(f"{where}: its configuration {os.path.basename(name) or 'FILE.yaml'} is not beside it")


def fill_texts(tree: Mapping[str, Any], fill: Callable[[str], Any], depth: int = 0) -> dict[str, Any]:
    """Return sections with ``fill`` of each text in them.

    >>> fill_texts({"a": {"b": "x"}, "c": 1}, str.upper)
    {'a': {'b': 'X'}, 'c': 1}
    """
    return {
        key: fill_texts(value, fill, depth + 1)
        if isinstance(value, Mapping) and depth < DEEPEST
        else fill(value)
        if isinstance(value, str)
        else value
        for key, value in tree.items()
    }


def load_body(text: str, file: Path) -> dict[str, Any]:
    """Return the mapping in a configuration.

    Raises FormatError for what is none.
    """
    where = str(file)
    if file.suffix == ".toml":
        try:
            return tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
            raise FormatError(f"{where}: not valid TOML: {error}") from None
    documents = [d for d in parse_documents(text, where, file.suffix == ".json", last_counts=True) if d is not None]
    if len(documents) != 1 or not isinstance(documents[0], Mapping):
        raise FormatError(f"{where}: expected one mapping, a configuration of a training")
    check_size(documents[0], where)
    return {str(k): v for k, v in documents[0].items()}
