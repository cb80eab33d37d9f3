"""Where commands of a shell script read from and write to: here-documents, here-strings, files that a script writes."""

from __future__ import annotations

import re
from abc import abstractmethod

from tianji.exporters.launch_reader.shell_loops import BlockReader
from tianji.exporters.launch_reader.shell_script import Script
from tianji.exporters.launch_reader.shell_words import WordReader

_HERE_DOCUMENT = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
SHELLS = frozenset({"bash", "sh", "/bin/bash", "/bin/sh"})
_FED = SHELLS | {"sbatch", "ssh", "cat", "tee", "qsub"}
"""Commands whose here-document may be a script."""


class DocumentReader(BlockReader):
    """A reader that stands before a redirection."""

    def __init__(self, text: str, where: str, script: Script, nested: int = 0) -> None:
        super().__init__(text, where, script, nested)
        self.words: list[str] = []
        self.fed: str | None = None
        """What the present command reads: a here-document or a here-string."""
        self.target = ""
        """Where it writes to."""

    @abstractmethod
    def read_inner(self, text: str) -> None:
        """Read a script within this one."""

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
            self.read_document(here)
            return
        if self.text.startswith("<<<", self.at):
            self.at += 3
            while self.text[self.at : self.at + 1] in (" ", "\t"):
                self.at += 1
            self.fed = " ".join(self.read_word(splits=False)) + "\n"
            return
        start = self.at
        while self.at < len(self.text) and self.text[self.at] in "<>& \t":
            self.at += 1
        is_output = ">" in self.text[start : self.at] and "&" not in self.text[start : self.at]
        if self.at < len(self.text) and self.text[self.at] not in "\n;|()":
            name = " ".join(self.read_word(splits=False))
            self.target = name if is_output else self.target

    def read_document(self, here: re.Match[str]) -> None:
        """Read a here-document, and where its command's line sends it; it may be a script."""
        begins = end_of_line(self.text, self.at)
        end = re.compile(rf"^\t*{re.escape(here[2])}$", re.MULTILINE).search(self.text, begins)
        body = self.text[begins + 1 : end.start() if end else len(self.text)]
        line = self.text[here.end() : begins]
        if to := re.search(r"(?<![\d&])>>?\s*([^\s;|&<>]+)", line):
            self.target = self.nested(to[1])
        is_shown = self.words == ["cat"] and not self.target and "|" not in line
        if self.words and self.words[0] in _FED and self.flow.runs is not False and not (is_shown and self.nested_deep):
            self.read_inner("\n" + body)
        self.fed = re.sub(r"^\t+", "", body, flags=re.MULTILINE) if here[0].startswith("<<-") else body
        if not here[1] and set(self.fed) & set("$`\\"):
            quoted = self.fed.replace('"', '\\"')
            reader = WordReader(f'"{quoted}"', self.where, self.script, nested=self.nested_deep + 1)
            self.fed = " ".join(reader.read_word(splits=False))
        self.at = end.end() if end else len(self.text)

    def take_document(self, words: list[str], text: str, target: str) -> list[str]:
        """Return a command that reads a text: one that shows it prints it, one that writes it keeps it as a file."""
        if words[0] == "tee" and len(words) > 1 and not words[-1].startswith("-"):
            target = words[-1]
        if words[0] in ("cat", "tee") and target:
            self.script.written[target] = text
        return ["printf", "%s", text] if words == ["cat"] and not target else words


def end_of_line(text: str, start: int) -> int:
    """Return where a line ends."""
    end = text.find("\n", start)
    return len(text) if end < 0 else end
