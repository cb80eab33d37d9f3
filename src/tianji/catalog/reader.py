"""Read TOML by type: a wrong key or value is refused with its place, what was expected and what to do.

Files are untrusted: they are parsed and never executed, and a file of any bytes ends in a value or in a FormatError.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from tianji.errors import FormatError
from tianji.hardware import CONFIDENCES, Figure
from tianji.input_files import read_text
from tianji.plain_toml import parse_toml
from tianji.units import DIMENSIONS, MIB, parse, parse_count, show

MAX_SIZE = int(MIB)
"""Bytes of the largest file that is read; the longest entry of the catalog has a hundredth of it."""
MAX_COUNT = 1_000_000_000
MAX_BITS = 1024
MAX_DEPTH = 20

_LINE = re.compile(r"\(at line (\d+), column (\d+)\)$")
_NESTED = "{}: nested too deeply; expected a TOML file with tables of figures"
_END = "(at end of document)"


def read_toml(path: Path) -> dict[str, object]:
    """Return the content of a TOML file.

    Raises FormatError, with the file and the line, for what is missing, too large, not text or not TOML.
    """
    text = read_text(path, "a TOML file", MAX_SIZE)
    try:
        content = parse_toml(text)
    except RecursionError:
        raise FormatError(_NESTED.format(path)) from None
    except ValueError as error:
        raise FormatError(_syntax_message(path, text, str(error))) from None
    _refuse_the_boundless(content, path)
    return content


def _refuse_the_boundless(content: dict[str, object], path: Path) -> None:
    # A hexadecimal number of a million digits and a key of a thousand dots are legal TOML, but Python prints neither.
    rest: list[tuple[dict[str, object] | list[object], int]] = [(content, 0)]
    while rest:
        table, depth = rest.pop()
        if table and depth == MAX_DEPTH:
            raise FormatError(_NESTED.format(path))
        for value in table.values() if isinstance(table, dict) else table:
            if isinstance(value, (dict, list)):
                rest.append((value, depth + 1))
            elif isinstance(value, int) and value.bit_length() > MAX_BITS:
                raise FormatError(f"{path}: has a number of {value.bit_length():,} bits; expected figures with a unit")


def _syntax_message(path: Path, text: str, problem: str) -> str:
    if place := _LINE.search(problem):
        return f"{path}, line {place[1]}, column {place[2]}: {problem[: place.start()].strip()}"
    if problem.endswith(_END):
        lines = text.count("\n") + 1
        return f"{path}, line {lines}: {problem.removesuffix(_END).strip()} at the end of the file; is it cut off?"
    return f"{path}: {problem}"


def span(dimension: str, least: str, most: str) -> tuple[str, float, float]:
    """Return a dimension with the least and the most that a figure of it can mean, given as texts with a unit.

    >>> span("time", "1 ms", "1 s")
    ('time', 0.001, 1.0)
    """
    return dimension, parse(least, dimension), parse(most, dimension)


@dataclass(slots=True)
class TomlTable:
    """A TOML table that knows where it stands and which of its keys were asked for."""

    content: Mapping[str, object]
    file: str
    path: str = ""
    """Dotted path of this table in its file, empty for the whole file."""
    sources: Collection[str] | None = None
    """Keys that a figure's source may name; None where any text will do (a user's own file)."""
    asked: set[str] = field(default_factory=set)

    def where(self, key: str) -> str:
        """Return the file and the dotted path of a key, as messages show it."""
        return f"{self.file}: {self.path}.{key}" if self.path else f"{self.file}: {key}"

    def get(self, key: str) -> object | None:
        """Return the raw value of a key, or None where it is absent."""
        self.asked.add(key)
        return self.content.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text of one line or more; required unless a default is given."""
        value = self.get(key)
        if value is None:
            if default is None:
                raise self._missing(key, "a text")
            return default
        if not isinstance(value, str):
            raise FormatError(f"{self.where(key)}: expected a text in quotes, got {_shown(value)}")
        if default is None and not value.strip():
            raise FormatError(f"{self.where(key)}: expected a text, got an empty one")
        return value.strip()

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, empty where the key is absent."""
        value = self.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise FormatError(f'{self.where(key)}: expected a list of texts, like ["..."], got {_shown(value)}')
        return tuple(v.strip() for v in value)

    def choice(self, key: str, options: Collection[str], default: str | None = None) -> str:
        """Return a text that is one of the options."""
        word = self.text(key, default)
        if word not in options:
            raise FormatError(f"{self.where(key)}: {word!r} is not known{_nearest(word, options)}")
        return word

    def count(self, key: str, default: int | None = None, least: int = 1) -> int:
        """Return a whole number of at least ``least``."""
        value = self.get(key)
        if value is None:
            if default is None:
                raise self._missing(key, "a whole number")
            return default
        number = 0 if value == 0 and not isinstance(value, bool) else parse_count(value, self.where(key))
        if not least <= number <= MAX_COUNT:
            raise FormatError(f"{self.where(key)}: expected {least:,} to {MAX_COUNT:,}, got {number:,}")
        return number

    def number(self, key: str, dimension: str, least: float, most: float, default: float | None = None) -> float:
        """Return the SI value of a bare quantity, one that needs no source, within its bounds."""
        value = self.get(key)
        if value is None:
            if default is None:
                raise self._missing(key, f"a {dimension}")
            return default
        return self._within(key, parse(value, dimension, self.where(key)), dimension, least, most)

    def child(self, key: str) -> TomlTable | None:
        """Return a table inside this one, or None where it is absent."""
        value = self.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise FormatError(f"{self.where(key)}: expected a table [{self._dotted(key)}], got {_shown(value)}")
        return TomlTable(value, self.file, self._dotted(key), self.sources)

    def children(self, key: str) -> list[TomlTable]:
        """Return the tables of an array of tables, empty where it is absent."""
        value = self.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
            raise FormatError(f"{self.where(key)}: expected tables [[{self._dotted(key)}]], got {_shown(value)}")
        return [TomlTable(v, self.file, f"{self._dotted(key)}[{i}]", self.sources) for i, v in enumerate(value)]

    def figure(self, key: str, dimension: str, least: float, most: float) -> Figure | None:
        """Return a figure with its source, or None where it is absent; a span without a value has its middle.

        Raises FormatError for a figure without source or confidence, of another unit, or outside ``least`` to ``most``.
        """
        value = self.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise FormatError(
                f"{self.where(key)}: a figure needs its source: expected a table with value, source and confidence, "
                f'like {key} = {{ value = {_shown(value)}, source = "where it is printed", confidence = "user" }}'
            )
        return TomlTable(value, self.file, self._dotted(key), self.sources)._read_figure(dimension, least, most)

    def fact(self, key: str) -> Figure:
        """Return a figure of whatever dimension its unit says."""
        given = self.child(key)
        if given is None:
            raise self._missing(key, "a figure")
        value = given.content.get("value", given.content.get("low"))
        return given._read_figure(_find_dimension(value, given.where("value")), 0.0, float("inf"))

    def _read_figure(self, dimension: str, least: float, most: float) -> Figure:
        numbers: dict[str, float] = {}
        for part in ("value", "low", "high"):
            if (given := self.get(part)) is not None:
                numbers[part] = self._within(part, parse(given, dimension, self.where(part)), dimension, least, most)
        low, high = numbers.get("low"), numbers.get("high")
        if "value" not in numbers and (low is None or high is None):
            raise self._missing("value", "a figure with its unit (or a span: low and high)")
        value = numbers["value"] if "value" in numbers else ((low or 0.0) + (high or 0.0)) / 2
        if (low is not None and low > value) or (high is not None and high < value):
            raise FormatError(f"{self.where('value')}: expected low <= value <= high, got {self._as_written()}")
        figure = Figure(
            value=value,
            source=self._read_source(),
            confidence=self.choice("confidence", CONFIDENCES),
            note=self.text("note", ""),
            low=low,
            high=high,
            alternatives=self.texts("alternatives"),
            text=self._as_written(),
        )
        self.finish()
        return figure

    def _as_written(self) -> str:
        low, high = self.content.get("low"), self.content.get("high")
        value = self.content.get("value")
        return str(value) if value is not None else f"{low} to {high}"

    def _read_source(self) -> str:
        source = self.text("source")
        for key in source.split(","):
            if self.sources is not None and key.strip() not in self.sources:
                near = _nearest(key.strip(), self.sources)
                raise FormatError(f"{self.where('source')}: {key.strip()!r} is not a key of sources.toml{near}")
        return source

    def _within(self, key: str, value: float, dimension: str, least: float, most: float) -> float:
        if value <= 0:
            raise FormatError(f"{self.where(key)}: expected a figure above zero, got {_shown(self.content.get(key))}")
        if not least <= value <= most:
            raise FormatError(
                f"{self.where(key)}: {_shown(self.content.get(key))} is absurd; expected "
                f"{show(least, dimension)} to {show(most, dimension)} (is the unit right?)"
            )
        return value

    def finish(self) -> None:
        """Refuse keys that nobody asked for: they are misspelt, and would be ignored in silence."""
        for key in self.content:
            if key not in self.asked:
                raise FormatError(f"{self.where(key)}: unknown key{_nearest(key, self.asked)}")

    def _missing(self, key: str, expected: str) -> FormatError:
        near = get_close_matches(key, [k for k in self.content if k not in self.asked], n=1, cutoff=0.5)
        misspelt = f"; is {near[0]!r} a slip for it?" if near else ""
        return FormatError(f"{self.where(key)}: missing; expected {expected}{misspelt}")

    def _dotted(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def _find_dimension(value: object, where: str) -> str:
    """Return the dimension whose units the value carries; a bare number is a count."""
    for dimension in ("count", *DIMENSIONS):
        try:
            parse(value, dimension, where)
        except FormatError:
            continue
        return dimension
    raise FormatError(f'{where}: expected a figure with a unit, like "300 PFLOP/s", got {_shown(value)}')


def _nearest(word: str, known: Collection[str]) -> str:
    by_lower = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), sorted(by_lower), n=1, cutoff=0.5)
    guess = f"; did you mean {by_lower[near[0]]!r}?" if near else ""
    listing = f" Known: {', '.join(sorted(known))}." if len(known) <= 30 else ""
    return guess + (listing if guess or not listing else f";{listing}")


def _shown(value: object) -> str:
    """Return a value as a message shows it: short, and in TOML's quotes."""
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
