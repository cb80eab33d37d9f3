"""Configurations that a launch names: those that it writes itself, and those that lie beside it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tianji.errors import FormatError
from tianji.exporters.formats.yaml_text import check_size, parse_documents
from tianji.exporters.launch_reader.shell_script import Script
from tianji.exporters.launch_reader.shell_sources import find_source
from tianji.exporters.launch_reader.stacks.sharding_files import ReadFile
from tianji.input_files import read_text


def make_reader(file: Path, script: Script | None = None) -> ReadFile:
    """Return what reads a configuration that a launch names; one that the script writes itself comes first."""
    written = script.written if script else {}

    def read(name: str) -> Mapping[str, Any] | None:
        if name in written:
            return load_body(written[name], Path(name))
        place = find_source(name, file) if name else None
        return load_body(read_text(place, "a configuration"), place) if place else None

    return read


def take_in(name: str, file: Path, where: str, script: Script) -> dict[str, Any]:
    """Return a configuration that a script names: one that it writes itself, or one that lies beside it."""
    if name in script.written:
        return load_body(script.written[name], Path(name))
    return load_body(read_beside(name, file, where), find_source(name, file) or file)


def read_beside(name: str, file: Path, where: str) -> str:
    """Return the text of a configuration that lies beside a launch.

    Raises FormatError where it is not there.
    """
    place = find_source(name, file) if name else None
    if place is None:
        raise FormatError(f"{where}: its configuration {os.path.basename(name) or 'FILE.yaml'} is not beside it")
    return read_text(place, "a configuration")


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
