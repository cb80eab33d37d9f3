"""Blocks of a shell script: loops as often as they turn, the clause of a choice that fits, bodies of functions."""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import replace
from fnmatch import fnmatchcase

from tianji.errors import FormatError
from tianji.exporters.launch_reader.shell_arithmetic import calculate
from tianji.exporters.launch_reader.shell_blocks import find_end, split_clauses
from tianji.exporters.launch_reader.shell_flow import Flow
from tianji.exporters.launch_reader.shell_input import next_option
from tianji.exporters.launch_reader.shell_script import Script
from tianji.exporters.launch_reader.shell_values import decide
from tianji.exporters.launch_reader.shell_words import WordReader

MOST_TURNS = 2_000
"""Turns of one loop."""
_ARGUMENTS = re.compile(r"\$(#|\{#\}|@|1\b|\{1\b|\{@)|\bgetopts\b")
"""Of a condition that asks for the script's own arguments."""


class BlockReader(WordReader):
    """A reader that stands behind the word that opens a block."""

    flow: Flow

    @abstractmethod
    def inner(self, text: str, script: Script, *, runs: bool | None) -> BlockReader:
        """Return a reader of commands within this one."""

    @abstractmethod
    def run(self) -> None:
        """Read to the end of the text."""

    def read_block(self, word: str) -> bool:
        """Read a loop or a choice that begins with this word; returns whether one does."""
        if word == "for":
            self.read_for()
        elif word in ("while", "until"):
            self.read_while(word == "while")
        elif word == "case":
            self.read_case()
        else:
            return False
        return True

    def read_function(self, function: re.Match[str]) -> None:
        """Keep the body of a function."""
        end = find_end(self.text, function.end(), "}", self.where)
        if self.flow.runs is not False:
            self.script.functions[function[1] or function[2]] = self.text[function.end() : end]
        self.at = end + 1

    def read_body(self) -> str:
        """Return what stands between ``do`` and its ``done``."""
        start = re.compile(r"[\s;]*do(?=\s)").match(self.text, self.at)
        if not start:
            raise FormatError(f"{self.where}: a loop without do; is the file complete?")
        end = find_end(self.text, start.end(), "done", self.where)
        self.at = end + len("done")
        return self.text[start.end() : end]

    def turn(self, body: str, runs: bool | None) -> None:
        """Read the commands of a block once."""
        self.inner(body, self.script, runs=runs).run()

    def read_for(self) -> None:
        """Read ``for NAME in WORDS`` or ``for ((FIRST; CONDITION; STEP))``, as often as it turns."""
        head = re.compile(r"[ \t]*\(\(").match(self.text, self.at)
        if head:
            self.at = head.end() - 3
            inner = self.enclosed("(", ")", 1).strip()[1:-1]
            self.read_counted(inner.split(";"), self.read_body())
            return
        name = re.compile(r"\s*([A-Za-z_]\w*)").match(self.text, self.at)
        if not name:
            raise FormatError(f"{self.where}: a loop without a variable; is the file complete?")
        self.at = name.end()
        words = list(self.script.positional)
        if begins := re.compile(r"\s+in(?=[\s;])").match(self.text, self.at):
            self.at, words = begins.end(), []
            while self.at < len(self.text) and self.text[self.at] not in "\n;":
                if self.text[self.at] in " \t":
                    self.at += 1
                elif self.text.startswith("\\\n", self.at):
                    self.at += 2
                else:
                    before = self.at
                    words += self.read_word()
                    self.at += self.at == before
        body, runs = self.read_body(), self.flow.runs
        if runs is False:
            return
        for word in words[:MOST_TURNS]:
            self.script.assign(name[1], word)
            self.turn(body, runs)

    def read_counted(self, parts: list[str], body: str) -> None:
        """Read a loop that counts, as often as its condition holds."""
        runs = self.flow.runs
        if runs is False or len(parts) != 3:
            return
        variables = self.script.variables
        calculate(self.expand_arithmetic(parts[0]), variables)
        for _ in range(MOST_TURNS):
            holds = calculate(self.expand_arithmetic(parts[1]), variables) if parts[1].strip() else 1
            if holds is None:
                self.turn(body, None)
                return
            if not holds:
                return
            self.turn(body, runs)
            calculate(self.expand_arithmetic(parts[2]), variables)

    def read_while(self, wanted: bool) -> None:
        """Read a loop as often as its condition is known to hold; where that hangs on the surroundings once."""
        start = self.at
        do = re.compile(r"[\s;]do\s").search(self.text, start)
        if not do:
            raise FormatError(f"{self.where}: a loop without do; is the file complete?")
        condition = self.text[start : do.start()]
        self.at = do.start()
        body, runs = self.read_body(), self.flow.runs
        if runs is False:
            return
        if _ARGUMENTS.search(condition) and not (self.script.positional or self.script.is_counted):
            return  # started without arguments, it does not turn
        for _ in range(MOST_TURNS):
            own = replace(self.script, commands=[])
            self.inner(condition, own, runs=True).run()
            self.script.steps, self.script.grown = own.steps, own.grown
            last = own.commands[-1] if own.commands else []
            is_option = last[:1] == ["getopts"] and len(last) > 2
            holds = next_option(last[1], last[2], self.script) if is_option else decide(last) if last else None
            if holds is None:
                self.turn(body, None)
                return
            if holds is not wanted:
                return
            self.turn(body, runs)

    def read_case(self) -> None:
        """Read the clause of a ``case`` whose pattern fits; all of them where the word hangs on the surroundings."""
        while self.at < len(self.text) and self.text[self.at] in " \t":
            self.at += 1
        word = " ".join(self.read_word(splits=False))
        begins = re.compile(r"\s+in(?=\s)").match(self.text, self.at)
        if not begins:
            raise FormatError(f"{self.where}: a case without in; is the file complete?")
        end = find_end(self.text, begins.end(), "esac", self.where)
        clauses = list(split_clauses(self.text[begins.end() : end]))
        self.at, runs = end + len("esac"), self.flow.runs
        if runs is False:
            return
        for pattern, body in clauses:
            if "${" in word:
                if pattern.strip() != "*":
                    self.turn(body, None)
            elif any(fnmatchcase(word, p.strip().strip("\"'")) for p in pattern.split("|")):
                self.turn(body, runs)
                return
