"""Which commands of a shell script run, as far as its text alone decides: ``if``, ``&&``, ``||`` and ``!``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tianji.exporters.launch_reader.shell_values import decide

_BRANCHES = frozenset({"if", "elif"})
_ENDS = frozenset({"fi"})
_BEFORE_COMMANDS = frozenset(
    ("export", "declare", "local", "readonly", "typeset", "then", "else", "do", "{", "!", "time", "exec", "env", "nohup",
     "sudo")
)  # fmt: skip
"""Words after which a command or an assignment begins."""
KEYWORDS = _BRANCHES | _ENDS | _BEFORE_COMMANDS


@dataclass(slots=True)
class _Branch:
    """An ``if`` that is open: whether its present part runs, and whether one before did or may have."""

    runs: bool | None = None
    done: bool = False
    maybe: bool = False
    asks: bool = False
    """The words that come are its condition."""


class Flow:
    """Where a reader of a script stands: in which branches, and after which ``&&`` or ``||``."""

    def __init__(self, outer: bool | None = True) -> None:
        self.outer = outer
        """Whether the block runs in which the commands stand."""
        self.branches: list[_Branch] = []
        self.guard: bool | None = True
        """Whether the present command runs: what stands before its ``&&`` or ``||`` decides."""
        self.status: bool | None = None
        """How the command before ended."""
        self.negated = False

    @property
    def runs(self) -> bool | None:
        """Whether what stands here runs; None where the script's surroundings decide."""
        states = [self.outer, self.guard, *(branch.runs for branch in self.branches)]
        return False if False in states else None if None in states else True

    def end_command(self, words: Sequence[str], joint: str) -> bool:
        """Take in a command and the ``joint`` that follows it; returns whether it may run and is no condition."""
        is_run = False
        if words:
            self.status = decide(words) if self.guard else self.guard
            if self.negated and self.status is not None and self.guard:
                self.status = not self.status
            self.negated = False
            if self.branches and self.branches[-1].asks:
                self._ask(joint)
            else:
                is_run = self.runs is not False
        if joint in ("&&", "||"):
            self.guard = None if self.status is None else self.status is (joint == "&&")
        elif joint in "\n;":
            self.guard, self.status = True, None
        return is_run

    def end_assignment(self) -> None:
        """Take in an assignment, which always succeeds."""
        self.status = True if self.guard else self.guard

    def take_word(self, word: str) -> None:
        """Take in the first word of a command, which may open, turn or close a branch."""
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
        self.negated = self.negated or word == "!"

    def _ask(self, joint: str) -> None:
        """Take in a part of a condition; one of several parts is left open."""
        branch = self.branches[-1]
        holds = self.status if joint in "\n;" and self.guard else None
        branch.runs = False if branch.done else None if branch.maybe and holds else holds
        branch.asks = joint not in "\n;"
