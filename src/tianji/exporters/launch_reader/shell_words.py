"""The words of a shell script: quotes, variables, arrays and arithmetic, expanded and never executed.

What a script takes from its surroundings (unset variables, the output of commands) stays as ``${NAME}`` in the words, so that
a reader who needs the value can say where it comes from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tianji.errors import FormatError
from tianji.exporters.launch_reader.shell_values import calculate

LARGEST = 1_000_000
"""Characters that a script, or what its variables grow to, may have."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(slots=True)
class Script:
    """What a script says: its commands as words, and what its variables hold at the end."""

    commands: list[list[str]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, list[str]] = field(default_factory=dict)
    contested: set[str] = field(default_factory=set)
    """Variables that a branch sets: which value counts depends on what is not executed here."""


class WordReader:
    """Stands at a place of a text and reads the word that begins there, with a script's variables."""

    def __init__(self, text: str, where: str, script: Script) -> None:
        self.text, self.where, self.script, self.at = text, where, script, 0
        self.grown = 0

    def read_word(self, splits: bool = True) -> list[str]:
        """Read one word as it stands and return what it expands to: one word, or several where an unquoted value splits."""
        done: list[str] = []
        current, is_word = "", False
        while self.at < len(self.text) and self.text[self.at] not in " \t\n;|&()<>":
            char = self.text[self.at]
            if char == "\\":
                is_continued = self.text.startswith("\\\n", self.at)
                current += "" if is_continued else self.text[self.at + 1 : self.at + 2]
                is_word = is_word or not is_continued
                self.at += 2
            elif char == "'":
                current, is_word = current + self.until("'"), True
            elif char == '"':
                if pieces := self.read_double():
                    current, is_word = _append(done, current, pieces), True
            elif char in "$`":
                values = self.expand()
                if splits:
                    current, is_word = _split(done, current, is_word, values)
                else:
                    current += " ".join(values)
            else:
                current, is_word = current + char, True
                self.at += 1
        return [*done, current] if is_word or current else done

    def until(self, quote: str) -> str:
        """Read a text up to the quote that closes it."""
        end = self.text.find(quote, self.at + 1)
        if end < 0:
            line = self.text.count("\n", 0, self.at) + 1
            raise FormatError(f"{self.where}: the quote opened in line {line} is never closed; is the file complete?")
        text = self.text[self.at + 1 : end]
        self.at = end + 1
        return text

    def read_double(self) -> list[str]:
        """Read a text in double quotes; an array in it gives several pieces, an empty array none."""
        opened, self.at = self.at, self.at + 1
        pieces = [""]
        while not self.text.startswith('"', self.at):
            if self.at >= len(self.text):
                line = self.text.count("\n", 0, opened) + 1
                raise FormatError(
                    f"{self.where}: the quote opened in line {line} is never closed; is the file complete?"
                )
            char = self.text[self.at]
            if char == "\\" and self.text[self.at + 1 : self.at + 2] in ('"', "\\", "$", "`", "\n"):
                pieces[-1] += "" if self.text[self.at + 1] == "\n" else self.text[self.at + 1]
                self.at += 2
            elif char in "$`":
                values = self.expand()
                if not values and pieces == [""] and self.text.startswith('"', self.at):
                    pieces = []
                elif values:
                    pieces = [*pieces[:-1], pieces[-1] + values[0], *values[1:]]
            else:
                pieces[-1] += char
                self.at += 1
        self.at += 1
        return pieces

    def expand(self) -> list[str]:
        """Read ``$NAME``, ``${NAME...}``, ``$((...))``, ``$(...)`` or backquotes and return the values."""
        text = self.text
        if text[self.at] == "`":
            self.until("`")
            return ["${COMMAND}"]
        if text.startswith("$((", self.at):
            return [self.arithmetic(self.enclosed("(", ")", 1)[1:-1])]
        if text.startswith("$(", self.at):
            self.enclosed("(", ")", 1)
            return ["${COMMAND}"]
        if text.startswith("${", self.at):
            return self.parameter(self.enclosed("{", "}", 1))
        name = _NAME.match(text, self.at + 1)
        if name:
            self.at = name.end()
            return [self.value(name[0])]
        special = text[self.at + 1 : self.at + 2]
        self.at += 2 if special and special in "0123456789@*#?$!-" else 1
        return [] if special and special in "@*" else [f"${{{special}}}"] if special else ["$"]

    def enclosed(self, left: str, right: str, skip: int) -> str:
        """Read a text in brackets, the first ``skip`` characters further on, and return what stands within."""
        start = self.at + skip
        depth, end = 0, start
        while end < len(self.text):
            if self.text[end] == "\\":
                end += 1
            elif self.text[end] == left:
                depth += 1
            elif self.text[end] == right:
                depth -= 1
                if depth == 0:
                    break
            end += 1
        if depth or end >= len(self.text):
            line = self.text.count("\n", 0, self.at) + 1
            raise FormatError(f"{self.where}: '${left}' in line {line} is never closed; is the file complete?")
        self.at = end + 1
        return self.text[start + 1 : end]

    def parameter(self, inner: str) -> list[str]:
        """Return the values of what stands within ``${...}``."""
        array = re.fullmatch(r"(\w+)\[[@*]\]", inner)
        if array:
            if array[1] in self.script.arrays:
                return self.script.arrays[array[1]]
            return [self.script.variables[array[1]]] if array[1] in self.script.variables else []
        form = re.fullmatch(r"(\w+|[@*#?])(?:(:?[-=?+])(.*))?", inner, re.DOTALL)
        if not form:
            return [f"${{{inner}}}"]
        name, mode, word = form[1], form[2] or "", form[3] or ""
        known = self.script.variables.get(name)
        if mode.endswith("+"):
            return [self.nested(word)] if known else []
        if known is not None and (known or not mode.startswith(":")):
            return [known]
        if mode.endswith(("-", "=")):
            return [self.nested(word)]
        return [f"${{{name}}}"]

    def nested(self, word: str) -> str:
        """Return what a default expands to."""
        inner = WordReader(f'"{word}"' if '"' not in word else word, self.where, self.script)
        return " ".join(inner.read_word(splits=False))

    def value(self, name: str) -> str:
        """Return the value of a variable; ``${NAME}`` where the script does not set it."""
        known = self.script.variables.get(name)
        self.grow(len(known or ""))
        return f"${{{name}}}" if known is None else known

    def arithmetic(self, inner: str) -> str:
        """Return the number of ``$((...))``; the text where it is none."""
        words = re.sub(r"\$?\{?\b([A-Za-z_]\w*)\}?", lambda m: self.value(m[1]), inner)
        number = calculate(words)
        return f"${{{inner.strip()}}}" if number is None else str(number)

    def grow(self, more: int) -> None:
        """Count what variables expand to, and stop where it grows without end."""
        self.grown += more
        if more > LARGEST or self.grown > 20 * LARGEST:
            raise FormatError(f"{self.where}: its variables grow without end; expected a launch script")


def _append(done: list[str], current: str, pieces: list[str]) -> str:
    """Join the first piece to the current word and keep all but the last piece, which goes on."""
    if len(pieces) == 1:
        return current + pieces[0]
    done += [current + pieces[0], *pieces[1:-1]]
    return pieces[-1]


def _split(done: list[str], current: str, is_word: bool, values: list[str]) -> tuple[str, bool]:
    """Add unquoted values to the current word, split at their spaces; returns the word that goes on, and whether it is one."""
    for n, value in enumerate(values):
        if (n or value[:1].isspace()) and (is_word or current):
            done.append(current)
            current, is_word = "", False
        if pieces := value.split():
            current, is_word = _append(done, current, pieces), True
            if value[-1:].isspace():
                done.append(current)
                current, is_word = "", False
    return current, is_word
