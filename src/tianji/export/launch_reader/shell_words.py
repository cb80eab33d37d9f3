"""Shell scripts as words: variables, quotes, arrays, arithmetic and continued lines, read and never executed.

What a script takes from its surroundings (unset variables, the output of commands) stays as ``${NAME}`` in the words, so that
a reader who needs the value can say where it comes from.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field, replace

from tianji.errors import FormatError
from tianji.export.launch_reader.shell_values import calculate, decide

LARGEST = 1_000_000
"""Characters that a script, or what its variables grow to, may have."""
DEEPEST = 3
"""Commands within commands (``bash -c "..."``, a script fed to sbatch) that are followed."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[[^\]]*\])?(\+?=)")
_KEYWORDS = frozenset(
    ("export", "declare", "local", "readonly", "typeset", "then", "else", "do", "{", "!", "time", "exec", "env")
) | frozenset(("nohup", "sudo", "eval"))
_BRANCHES = frozenset({"if", "elif", "case", "while", "until", "for"})
_ENDS = frozenset({"fi", "esac", "done"})
_SHELLS = frozenset({"bash", "sh", "/bin/bash", "/bin/sh"})
_FED = _SHELLS | {"sbatch", "ssh", "cat", "tee", "qsub"}
"""Commands whose here-document may be a script."""


@dataclass(slots=True)
class Script:
    """What a script says: its commands as words, and what its variables hold at the end."""

    commands: list[list[str]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, list[str]] = field(default_factory=dict)
    contested: set[str] = field(default_factory=set)
    """Variables that a branch sets: which value counts depends on what is not executed here."""


@dataclass(slots=True)
class _Branch:
    """An ``if``, a loop or a ``case`` that is open: whether its present part runs, and whether one before did or may have."""

    runs: bool | None = None
    done: bool = False
    maybe: bool = False
    asks: bool = False
    """The words that come are its condition."""


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

    def __init__(self, text: str, where: str, script: Script, depth: int = 0) -> None:
        self.text, self.where, self.script, self.at, self.depth = text, where, script, 0, depth
        self.words: list[str] = []
        self.branches: list[_Branch] = []
        self.guard: bool | None = True
        """Whether the present command runs: what stands before its ``&&`` or ``||`` decides."""
        self.status: bool | None = None
        """How the command before ended."""
        self.negated = False
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
            joint = self.text[self.at : self.at + 2]
            self.at += 2 if joint in ("&&", "||") else 1
            self.finish(joint if joint in ("&&", "||") else char)
        elif char in "<>":
            self.skip_redirection()
        else:
            self.word()

    def finish(self, joint: str = "\n") -> None:
        """Close a command; ``joint`` is what follows it."""
        words, self.words = self.words, []
        if words:
            self.status = decide(words) if self.guard else self.guard
            if self.negated and self.status is not None and self.guard:
                self.status = not self.status
            self.negated = False
            if self.branches and self.branches[-1].asks:
                self.ask(joint)
            elif self.runs is not False:
                self.script.commands.append(words)
                self.follow(words)
        if joint in ("&&", "||"):
            wanted = joint == "&&"
            self.guard = None if self.status is None else self.status is wanted
        elif joint in "\n;":
            self.guard, self.status = True, None

    def ask(self, joint: str) -> None:
        """Take in a part of a condition; one of several parts is left open."""
        branch = self.branches[-1]
        found = self.status if joint in "\n;" and self.guard else None
        branch.runs = False if branch.done else None if branch.maybe and found else found
        branch.asks = joint not in "\n;"

    @property
    def runs(self) -> bool | None:
        """Whether what stands here runs; None where the script's surroundings decide."""
        states = [self.guard, *(branch.runs for branch in self.branches)]
        return False if False in states else None if None in states else True

    def follow(self, words: list[str]) -> None:
        """Read what a command has another shell do: ``bash -c "..."``, or a quoted command after ``eval``."""
        texts = words if len(words) == 1 and re.search(r"\s", words[0]) else []
        for i in range(len(words) - 2):
            if words[i] in _SHELLS:
                texts = [b for a, b in zip(words[i + 1 :], words[i + 2 :], strict=False) if re.fullmatch(r"-\w*c", a)]
        for text in texts[:1]:
            self.read_inner(text)

    def read_inner(self, text: str) -> None:
        """Read a script within this one, which changes none of its variables; what cannot be read is no script."""
        if self.depth < DEEPEST:
            own = self.script
            inner = replace(own, commands=[], variables=dict(own.variables), arrays=dict(own.arrays))
            with suppress(FormatError):
                _Reader(text, self.where, inner, self.depth + 1).run()
            own.commands += inner.commands

    def skip_redirection(self) -> None:
        if self.words and self.words[-1].isdigit() and self.text[self.at - 1].isdigit():
            self.words.pop()  # the 2 of 2>&1
        if self.words and self.words[0] == "[[":
            self.words.append(self.text[self.at])  # it compares there, and nothing is redirected
            self.at += 1
            return
        here = re.compile(r"<<-?\s*(['\"]?)(\w+)\1").match(self.text, self.at)
        if here and not self.text.startswith("<<<", self.at):
            end = re.compile(rf"^\t*{re.escape(here[2])}$", re.MULTILINE).search(
                self.text, _end_of_line(self.text, self.at)
            )
            if self.words and self.words[0] in _FED and self.runs is not False:
                self.read_inner(self.text[_end_of_line(self.text, self.at) : end.start() if end else len(self.text)])
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
            self.branch(words[0])
            self.negated = self.negated or words[0] == "!"
            if words[0] in _KEYWORDS | _BRANCHES | _ENDS:
                return
        self.grow(sum(len(w) for w in words))
        self.words += words

    def branch(self, word: str) -> None:
        """Open, turn or close a branch where a word does so."""
        if word in _BRANCHES and word != "elif":
            self.branches.append(_Branch(asks=word == "if"))
        elif word in _ENDS and self.branches:
            self.branches.pop()
        elif word in ("elif", "else") and self.branches:
            branch = self.branches[-1]
            branch.done, branch.maybe = branch.done or branch.runs is True, branch.maybe or branch.runs is None
            branch.runs = False if branch.done else None if branch.maybe else True
            branch.asks = word == "elif"
        elif word == "then" and self.branches:
            self.branches[-1].asks = False

    def assign(self, found: re.Match[str]) -> None:
        name, adds = found[1], found[2] == "+="
        self.at = found.end()
        script, self.status = self.script, True if self.guard else self.guard
        if self.runs is False:  # read all the same, to get past it
            script = replace(script, variables=dict(script.variables), arrays=dict(script.arrays))
        elif self.runs is None:
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


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
