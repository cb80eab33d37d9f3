"""Shell scripts as words: variables, quotes, arrays, arithmetic and continued lines, read and never executed.

What a script takes from its surroundings (unset variables, the output of commands) stays as ``${NAME}`` in the words, so that
a reader who needs the value can say where it comes from.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tianji.errors import FormatError

LARGEST = 1_000_000
"""Characters that a script, or what its variables grow to, may have."""
MAX_ARITHMETIC = 10**15

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[[^\]]*\])?(\+?=)")
_KEYWORDS = frozenset(
    ("export", "declare", "local", "readonly", "typeset", "then", "else", "do", "{", "!", "time", "exec", "env")
) | frozenset(("nohup", "sudo", "eval"))
_BRANCHES = frozenset({"if", "elif", "case", "while", "until", "for"})
_ENDS = frozenset({"fi", "esac", "done"})


@dataclass(slots=True)
class Script:
    """What a script says: its commands as words, and what its variables hold at the end."""

    commands: list[list[str]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, list[str]] = field(default_factory=dict)
    contested: set[str] = field(default_factory=set)
    """Variables that a branch sets: which value counts depends on what is not executed here."""
    depth: int = 0


def read_script(text: str, where: str) -> Script:
    """Return the commands of a shell script, each as expanded words.

    Raises FormatError for an unclosed quote or bracket and for a script that grows beyond all bounds.
    """
    if len(text) > LARGEST:
        raise FormatError(f"{where}: {len(text):,} characters; a launch script has fewer than {LARGEST:,}")
    script = Script()
    _Reader(text.replace("\r\n", "\n"), where, script).run()
    return script


class _Reader:
    """Walks through a script once, from left to right."""

    def __init__(self, text: str, where: str, script: Script) -> None:
        self.text, self.where, self.script, self.at = text, where, script, 0
        self.words: list[str] = []
        self.grown = 0

    def run(self) -> None:
        while self.at < len(self.text):
            self.step()
        self.finish()

    def step(self) -> None:
        char = self.text[self.at]
        if self.text.startswith("\\\n", self.at):
            self.at += 2
        elif char in " \t":
            self.at += 1
        elif char == "#":
            self.at = _end_of_line(self.text, self.at)
        elif char in "\n;|&()":
            self.at += 1
            self.finish()
        elif char in "<>":
            self.skip_redirection()
        else:
            self.word()

    def finish(self) -> None:
        """Close a command."""
        if self.words:
            self.script.commands.append(self.words)
            self.words = []

    def skip_redirection(self) -> None:
        if self.words and self.words[-1].isdigit() and self.text[self.at - 1].isdigit():
            self.words.pop()  # the 2 of 2>&1
        here = re.compile(r"<<-?\s*(['\"]?)(\w+)\1").match(self.text, self.at)
        if here and not self.text.startswith("<<<", self.at):
            end = re.compile(rf"^\t*{re.escape(here[2])}$", re.MULTILINE).search(
                self.text, _end_of_line(self.text, self.at)
            )
            self.at = end.end() if end else len(self.text)
            return
        while self.at < len(self.text) and self.text[self.at] in "<>& \t":
            self.at += 1
        if self.at < len(self.text) and self.text[self.at] not in "\n;|()":
            self.read_parts()

    def word(self) -> None:
        """Read one word: an assignment where a command could begin, else words of the command."""
        found = _ASSIGNMENT.match(self.text, self.at) if not self.words else None
        if found:
            self.assign(found)
            return
        words = self.read_parts()
        if not self.words and len(words) == 1:
            if words[0] in _BRANCHES:
                self.script.depth += 1
            elif words[0] in _ENDS:
                self.script.depth = max(self.script.depth - 1, 0)
            if words[0] in _KEYWORDS | _BRANCHES | _ENDS:
                return
        self.grow(sum(len(w) for w in words))
        self.words += words

    def assign(self, found: re.Match[str]) -> None:
        name, adds = found[1], found[2] == "+="
        self.at = found.end()
        script = self.script
        if script.depth:
            script.contested.add(name)
        if self.text.startswith("(", self.at):
            self.at += 1
            items = self.read_list()
            script.arrays[name] = [*script.arrays.get(name, []), *items] if adds else items
            script.variables[name] = script.arrays[name][0] if script.arrays[name] else ""
            return
        value = " ".join(self.read_parts(splits=False)) if self.has_word() else ""
        whole = script.variables.get(name, "") + value if adds else value
        self.grow(len(whole))
        script.variables[name] = whole
        script.arrays.pop(name, None)

    def has_word(self) -> bool:
        return self.at < len(self.text) and self.text[self.at] not in " \t\n;|&()#"

    def read_list(self) -> list[str]:
        """Read the words of an array up to its closing bracket; comments and line ends part them."""
        items: list[str] = []
        while True:
            if self.at >= len(self.text):
                raise FormatError(f"{self.where}: an array is opened with '(' and never closed; is the file complete?")
            char = self.text[self.at]
            if char == ")":
                self.at += 1
                return items
            if self.text.startswith("\\\n", self.at):
                self.at += 2
            elif char in " \t\n":
                self.at += 1
            elif char == "#":
                self.at = _end_of_line(self.text, self.at)
            elif char in ";|&(<>":
                self.at += 1
            else:
                items += self.read_parts()

    def read_parts(self, splits: bool = True) -> list[str]:
        """Read one word as it stands and return what it expands to: one word, or several where an unquoted value splits."""
        done: list[str] = []
        current, is_word = "", False
        while self.at < len(self.text) and self.text[self.at] not in " \t\n;|&()<>":
            char = self.text[self.at]
            if char == "\\":
                current += "" if self.text.startswith("\\\n", self.at) else self.text[self.at + 1 : self.at + 2]
                is_word = is_word or not self.text.startswith("\\\n", self.at)
                self.at += 2
            elif char == "'":
                current, is_word = current + self.until("'"), True
            elif char == '"':
                pieces = self.read_double()
                done += [current + pieces[0], *pieces[1:-1]] if len(pieces) > 1 else []
                current = pieces[-1] if len(pieces) > 1 else current + pieces[0]
                is_word = is_word or len(pieces) > 1 or pieces != ["\0none"]
                if pieces == ["\0none"]:
                    current = current.replace("\0none", "")
            elif char in "$`":
                values = self.expand()
                if not splits:
                    current += " ".join(values)
                    continue
                pieces = [w for v in values for w in v.split()]
                if pieces:
                    done += [current + pieces[0], *pieces[1:-1]] if len(pieces) > 1 else []
                    current, is_word = (pieces[-1] if len(pieces) > 1 else current + pieces[0]), True
            else:
                current, is_word = current + char, True
                self.at += 1
        return [*done, current] if is_word or current else done

    def until(self, quote: str) -> str:
        end = self.text.find(quote, self.at + 1)
        if end < 0:
            line = self.text.count("\n", 0, self.at) + 1
            raise FormatError(f"{self.where}: the quote opened in line {line} is never closed; is the file complete?")
        found = self.text[self.at + 1 : end]
        self.at = end + 1
        return found

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
                    pieces = ["\0none"]
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
        array = re.fullmatch(r"(\w+)\[[@*]\]", inner)
        if array:
            if array[1] in self.script.arrays:
                return self.script.arrays[array[1]]
            return [self.script.variables[array[1]]] if array[1] in self.script.variables else []
        found = re.fullmatch(r"(\w+|[@*#?])(?:(:?[-=?+])(.*))?", inner, re.DOTALL)
        if not found:
            return [f"${{{inner}}}"]
        name, mode, word = found[1], found[2] or "", found[3] or ""
        known = self.script.variables.get(name)
        if mode.endswith("+"):
            return [self.nested(word)] if known else []
        if known is not None and (known or not mode.startswith(":")):
            return [known]
        if mode.endswith(("-", "=")):
            return [self.nested(word)]
        return [f"${{{name}}}"]

    def nested(self, word: str) -> str:
        inner = _Reader(f'"{word}"' if '"' not in word else word, self.where, self.script)
        return " ".join(inner.read_parts(splits=False))

    def value(self, name: str) -> str:
        found = self.script.variables.get(name)
        self.grow(len(found or ""))
        return f"${{{name}}}" if found is None else found

    def arithmetic(self, inner: str) -> str:
        words = re.sub(r"\$?\{?\b([A-Za-z_]\w*)\}?", lambda m: self.value(m[1]), inner)
        number = calculate(words)
        return f"${{{inner.strip()}}}" if number is None else str(number)

    def grow(self, more: int) -> None:
        self.grown += more
        if more > LARGEST or self.grown > 20 * LARGEST:
            raise FormatError(f"{self.where}: its variables grow without end; expected a launch script")


_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def calculate(text: str) -> int | None:
    """Return the whole number that an arithmetic text gives, or None where it is none.

    >>> calculate("8 * (4 + 1) / 2")
    20
    """
    try:
        return _evaluate(ast.parse(text.strip().replace("/", "//"), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return None


def _evaluate(node: ast.expr) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and abs(node.value) <= MAX_ARITHMETIC:
        return int(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluate(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        found = _OPERATORS[type(node.op)](_evaluate(node.left), _evaluate(node.right))
        if abs(found) <= MAX_ARITHMETIC:
            return found
    raise ValueError("no whole number")


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
