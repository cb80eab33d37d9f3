"""Shell scripts as commands: assignments, here-documents, branches and scripts within scripts, read and never executed."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace

from tianji.errors import FormatError
from tianji.exporters.launch_reader.shell_flow import KEYWORDS, Flow
from tianji.exporters.launch_reader.shell_words import LARGEST, Script, WordReader

DEEPEST = 3
"""Commands within commands (``bash -c "..."``, a script fed to sbatch) that are followed."""

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[[^\]]*\])?(\+?=)")
_HERE_DOCUMENT = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
_SHELLS = frozenset({"bash", "sh", "/bin/bash", "/bin/sh"})
_FED = _SHELLS | {"sbatch", "ssh", "cat", "tee", "qsub"}
"""Commands whose here-document may be a script."""


def read_script(text: str, where: str) -> Script:
    """Return the commands of a shell script, each as expanded words.

    Raises FormatError for an unclosed quote or bracket and for a script that grows beyond all bounds.
    """
    if len(text) > LARGEST:
        raise FormatError(f"{where}: {len(text):,} characters; a launch script has fewer than {LARGEST:,}")
    script = Script()
    _CommandReader(text.replace("\r\n", "\n"), where, script).run()
    return script


class _CommandReader(WordReader):
    """Walks through a script once, from left to right."""

    def __init__(self, text: str, where: str, script: Script, depth: int = 0) -> None:
        super().__init__(text, where, script)
        self.depth = depth
        self.words: list[str] = []
        self.flow = Flow()

    def run(self) -> None:
        while self.at < len(self.text):
            self.step()
        self.finish("\n")

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
            self.take()

    def finish(self, joint: str) -> None:
        """Close a command; ``joint`` is what follows it."""
        words, self.words = self.words, []
        if self.flow.end_command(words, joint):
            self.script.commands.append(words)
            self.follow(words)

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
                _CommandReader(text, self.where, inner, self.depth + 1).run()
            own.commands += inner.commands

    def skip_redirection(self) -> None:
        """Pass over where a command reads from and writes to; a here-document may be a script."""
        if self.words and self.words[-1].isdigit() and self.text[self.at - 1].isdigit():
            self.words.pop()  # the 2 of 2>&1
        if self.words and self.words[0] == "[[":
            self.words.append(self.text[self.at])  # it compares there, and nothing is redirected
            self.at += 1
            return
        here = _HERE_DOCUMENT.match(self.text, self.at)
        if here and not self.text.startswith("<<<", self.at):
            end = re.compile(rf"^\t*{re.escape(here[2])}$", re.MULTILINE).search(
                self.text, _end_of_line(self.text, self.at)
            )
            if self.words and self.words[0] in _FED and self.flow.runs is not False:
                self.read_inner(self.text[_end_of_line(self.text, self.at) : end.start() if end else len(self.text)])
            self.at = end.end() if end else len(self.text)
            return
        while self.at < len(self.text) and self.text[self.at] in "<>& \t":
            self.at += 1
        if self.at < len(self.text) and self.text[self.at] not in "\n;|()":
            self.read_word()

    def take(self) -> None:
        """Read one word: an assignment where a command could begin, else words of the command."""
        assignment = _ASSIGNMENT.match(self.text, self.at) if not self.words else None
        if assignment:
            self.assign(assignment)
            return
        words = self.read_word()
        if not self.words and len(words) == 1:
            self.flow.take_word(words[0])
            if words[0] in KEYWORDS:
                return
        self.grow(sum(len(w) for w in words))
        self.words += words

    def assign(self, assignment: re.Match[str]) -> None:
        """Read a value, or a list of them, into a variable."""
        name, adds = assignment[1], assignment[2] == "+="
        self.at = assignment.end()
        self.flow.end_assignment()
        script = self.script
        if self.flow.runs is False:  # read all the same, to get past it
            script = replace(script, variables=dict(script.variables), arrays=dict(script.arrays))
        elif self.flow.runs is None:
            script.contested.add(name)
        if self.text.startswith("(", self.at):
            self.at += 1
            items = self.read_list()
            script.arrays[name] = [*script.arrays.get(name, []), *items] if adds else items
            script.variables[name] = script.arrays[name][0] if script.arrays[name] else ""
            return
        value = " ".join(self.read_word(splits=False)) if self.has_word() else ""
        whole = script.variables.get(name, "") + value if adds else value
        self.grow(len(whole))
        script.variables[name] = whole
        script.arrays.pop(name, None)

    def has_word(self) -> bool:
        """Return whether a word begins here."""
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
                items += self.read_word()


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
