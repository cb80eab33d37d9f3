"""Arguments with comments: the small model that every format is written from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

Scalar: TypeAlias = str | int | float | bool | None
Value: TypeAlias = Scalar | list[Any] | tuple["Argument", ...]
"""A list holds values, a tuple of arguments is a mapping."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One option with why it has this value; on a command line None is a switch without a value."""

    name: str
    value: Value = None
    comment: str = ""


Tree: TypeAlias = tuple[Argument, ...]
"""A document of nested mappings."""


@dataclass(frozen=True, slots=True)
class OptionGroup:
    """Options of a command line that belong together; ``variable`` is the shell array that holds them."""

    variable: str
    title: str
    arguments: Tree


@dataclass(frozen=True, slots=True)
class Artefact:
    """One file: its name within the export's folder and its text."""

    name: str
    text: str
    is_executable: bool = False
