"""Arguments with comments: the small model that every format is written from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tianji.errors import ExportError

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
class Section:
    """Arguments of a command line that belong together; ``variable`` is the shell array that holds them."""

    variable: str
    title: str
    arguments: Tree


@dataclass(frozen=True, slots=True)
class Artefact:
    """One file: its name within the bundle and its text."""

    name: str
    text: str
    is_executable: bool = False


@dataclass(frozen=True, slots=True)
class Bundle:
    """The files of one target; ``notes`` says what the target does otherwise than the plan assumes."""

    target: str
    artefacts: tuple[Artefact, ...]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Limits:
    """Collects what a target cannot express: a note where the plan stays the plan, a refusal where it would not."""

    target: str
    notes: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def note(self, *texts: str) -> None:
        """Keep what the user should know."""
        self.notes += [text for text in texts if text not in self.notes]

    def refuse(self, reason: str) -> None:
        """Keep a reason why this target would run another plan."""
        if reason not in self.refusals:
            self.refusals.append(reason)

    def check(self) -> None:
        """Raise ExportError with every reason, if there is one."""
        if self.refusals:
            reasons = "; ".join(self.refusals)
            raise ExportError(f"--to {self.target} would run another plan: {reasons}")
