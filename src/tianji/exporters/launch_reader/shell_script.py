"""What is known of a shell script while it is read: variables, arrays, arguments, functions, commands, and how much was read."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tianji.errors import FormatError

LARGEST = 1_000_000
"""Characters that a script, or what its variables grow to, may have."""
MOST_STEPS = 3_000_000
"""Characters that may be read in all, loops and files that it takes in counted as often as they are read."""
MOST_WORDS = 100_000
"""Words of an array."""
_KEYED = re.compile(r"\[([^\]]+)\]=(.*)", re.DOTALL)


@dataclass(slots=True)
class Script:
    """What a script says: its commands as words, and what its variables hold at the end."""

    commands: list[list[str]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, list[str]] = field(default_factory=dict)
    maps: set[str] = field(default_factory=set)
    """Arrays whose places have names (``declare -A``); each item is a variable ``NAME[KEY]``."""
    contested: set[str] = field(default_factory=set)
    """Variables that a branch sets: which value counts depends on what is not executed here."""
    positional: list[str] = field(default_factory=list)
    """Words that the script is started with: ``$1``, ``$2``."""
    is_counted: bool = False
    """Whether all of them are known: the script was given some, or a function was called."""
    in_function: bool = False
    fixed: frozenset[str] = frozenset()
    """Variables that the user set: no assignment changes them."""
    functions: dict[str, str] = field(default_factory=dict)
    file: Path | None = None
    """Where the script lies; files beside it may be taken in."""
    sources: list[str] = field(default_factory=list)
    """Files that were taken in."""
    missing: list[str] = field(default_factory=list)
    """Files that it takes in and that do not lie beside it."""
    absent: list[str] = field(default_factory=list)
    """Scripts that it starts and that do not lie beside it."""
    started: list[str] = field(default_factory=list)
    """Scripts that were started, each as often as it was."""
    asked: set[str] = field(default_factory=set)
    """Variables and arguments that were looked up and are not known."""
    written: dict[str, str] = field(default_factory=dict)
    """Files that it writes itself, by their names (``cat > FILE <<EOF``)."""
    directives: dict[str, str] = field(default_factory=dict)
    """Options of its ``#SBATCH`` lines."""
    output: Callable[[str, str, Script, int], str | None] = lambda text, where, script, nested: None
    """What a command in ``$(...)`` prints, where that follows from the script alone."""
    steps: int = 0
    grown: int = 0

    def value(self, name: str) -> str | None:
        """Return the value of a variable or of an argument; None where it is not known."""
        if name.isdigit():
            place = int(name[:6])
            if place == 0:
                return str(self.file) if self.file else None
            absent = "" if self.in_function else None
            known = self.positional[place - 1] if place <= len(self.positional) else absent
        elif name == "#":
            known = str(len(self.positional)) if self.positional or self.is_counted else None
        elif name == "BASH_SOURCE" and self.file:
            known = str(self.file)
        else:
            known = self.variables.get(name)
        if known is None:
            self.asked.add(name)
        return known

    def assign(self, name: str, value: str) -> None:
        """Set a variable, unless the user did."""
        if name not in self.fixed:
            self.variables[name] = value
            self.arrays.pop(name, None)

    def assign_array(self, name: str, items: list[str], where: str) -> None:
        """Set an array; its first word is its value as a variable."""
        if name in self.fixed:
            return
        if len(items) > MOST_WORDS:
            raise FormatError(f"{where}: its arrays grow without end; expected a launch script")
        keyed = [_KEYED.fullmatch(item) for item in items]
        if name in self.maps:
            for key in keyed:
                if key:
                    self.assign(f"{name}[{key[1]}]", key[2])
            return
        if items and all(keyed):  # places by number: [0]=a [1]=b
            items = [key[2] for key in keyed if key]
        self.arrays[name] = items
        self.variables[name] = items[0] if items else ""

    def items(self, name: str) -> dict[str, str]:
        """Return what a map holds, by key; empty for what is none."""
        start = f"{name}["
        return {k[len(start) : -1]: v for k, v in self.variables.items() if k.startswith(start)}

    def drop(self, name: str) -> None:
        """Forget a variable, an array, a map or one item, unless the user set it."""
        if name not in self.fixed:
            for key in (name, *(f"{name}[{k}]" for k in self.items(name))):
                self.variables.pop(key, None)
            self.arrays.pop(name, None)

    def join(self, items: list[str]) -> str:
        """Return words joined as ``${A[*]}`` joins them: by the first letter of ``IFS``."""
        separator = self.variables.get("IFS", " ")
        return (separator[:1] if separator else "").join(items)

    def grow(self, more: int, where: str) -> None:
        """Count what variables expand to, and stop where it grows without end."""
        self.grown += more
        if more > LARGEST or self.grown > 20 * LARGEST:
            raise FormatError(f"{where}: its variables grow without end; expected a launch script")

    def step(self, more: int, where: str) -> None:
        """Count what is read, and stop where that has no end."""
        self.steps += more
        if self.steps > MOST_STEPS:
            raise FormatError(f"{where}: its loops or the files that it takes in have no end; expected a launch script")
