"""The words of a shell script: quotes, variables, arrays and arithmetic, expanded and never executed.

What a script takes from its surroundings (unset variables, the output of commands) stays as ``${NAME}`` in the words, so that
a reader who needs the value can say where it comes from.
"""

from __future__ import annotations

import re

from tianji.errors import FormatError
from tianji.exporters.launch_reader.shell_arithmetic import calculate
from tianji.exporters.launch_reader.shell_parameters import expand_parameter
from tianji.exporters.launch_reader.shell_script import LARGEST, Script

__all__ = ["LARGEST", "Script", "WordReader"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPED = re.compile(r"\$'((?:\\.|[^'\\])*)'", re.DOTALL)
"""A text in which ``\\n`` and its like count: ``$'a\\nb'``."""
_ITEM = re.compile(r"[A-Za-z_]\w*\[[^\[\]]+\](?!\s*(=[^=]|\+\+|--|[-+*/]=))")
"""An item of an array within arithmetic, where it is read and not set."""
DEEPEST = 40
"""Expansions within expansions."""
UNKNOWN = "${COMMAND}"
"""What stands for the output of a command that is not read."""


class WordReader:
    """Stands at a place of a text and reads the word that begins there, with a script's variables."""

    def __init__(self, text: str, where: str, script: Script, nested: int = 0) -> None:
        self.text, self.where, self.script, self.at = text, where, script, 0
        self.nested_deep = nested
        if nested > DEEPEST:
            raise FormatError(f"{where}: nested too deeply; expected a launch script")
        script.step(len(text), where)

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
            elif escaped := _ESCAPED.match(self.text, self.at):
                current, is_word = current + re.sub(r"\\(.)", _unescape, escaped[1], flags=re.DOTALL), True
                self.at = escaped.end()
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
            return self.capture(self.until("`"))
        if text.startswith("$((", self.at):
            place = self.at
            inner = self.enclosed("(", ")", 1)
            if inner.startswith("(") and inner.endswith(")"):
                return [self.arithmetic(inner[1:-1])]
            self.at = place
        if text.startswith("$(", self.at):
            return self.capture(self.enclosed("(", ")", 1))
        if text.startswith("${", self.at):
            return self.parameter(self.enclosed("{", "}", 1))
        name = _NAME.match(text, self.at + 1)
        if name:
            self.at = name.end()
            return [self.value(name[0])]
        special = text[self.at + 1 : self.at + 2]
        self.at += 2 if special and special in "0123456789@*#?$!-" else 1
        if special and special in "@*":
            self.script.value("1")  # so that its absence is known
            return list(self.script.positional)
        if special and special in "0123456789#":
            return [self.value(special)]
        if special == "?":  # of the last command: a script is read as one whose commands succeed
            return ["0"]
        return [f"${{{special}}}"] if special in ("!", "-", "$") else ["$"]

    def capture(self, inner: str) -> list[str]:
        """Return what a command prints, where that follows from the script alone."""
        output = self.script.output(inner, self.where, self.script, self.nested_deep + 1)
        return [UNKNOWN if output is None else output.rstrip("\n")]

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
        values = expand_parameter(inner, self.script, self.nested)
        self.script.grow(sum(len(v) + 1 for v in values), self.where)
        return values

    def nested(self, word: str) -> str:
        """Return what a default expands to."""
        text = f'"{word}"' if '"' not in word and "'" not in word else word
        return " ".join(WordReader(text, self.where, self.script, self.nested_deep + 1).read_word(splits=False))

    def value(self, name: str) -> str:
        """Return the value of a variable; ``${NAME}`` where the script does not set it."""
        known = self.script.value(name)
        self.grow(len(known or ""))
        return f"${{{name}}}" if known is None else known

    def arithmetic(self, inner: str) -> str:
        """Return the number of ``$((...))``; the text where it is none."""
        text = self.expand_arithmetic(inner)
        number = calculate(text, self.script.variables)
        return f"${{{inner.strip()}}}" if number is None else str(number)

    def expand_arithmetic(self, inner: str) -> str:
        """Return an arithmetic text with its ``$`` expanded."""
        if set(inner) & set("$`"):
            quoted = '"' + inner.replace('"', "") + '"'
            reader = WordReader(quoted, self.where, self.script, self.nested_deep + 1)
            inner = " ".join(reader.read_word(splits=False))
        return _ITEM.sub(lambda item: " ".join(self.parameter(item[0])), inner) if "[" in inner else inner

    def grow(self, more: int) -> None:
        """Count what variables expand to, and stop where it grows without end."""
        self.script.grow(more, self.where)


def _unescape(escape: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t"}.get(escape[1], escape[1])


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
