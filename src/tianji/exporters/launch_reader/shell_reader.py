"""Shell scripts as commands: assignments, branches, loops, functions and scripts within scripts, read and never executed."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tianji.errors import FormatError
from tianji.exporters.launch_reader.shell_arithmetic import calculate
from tianji.exporters.launch_reader.shell_documents import SHELLS, DocumentReader, end_of_line
from tianji.exporters.launch_reader.shell_flow import KEYWORDS, Flow
from tianji.exporters.launch_reader.shell_input import read_input
from tianji.exporters.launch_reader.shell_matches import settle_match
from tianji.exporters.launch_reader.shell_outputs import format_words, print_words
from tianji.exporters.launch_reader.shell_script import LARGEST, Script
from tianji.exporters.launch_reader.shell_sources import find_source
from tianji.input_files import read_text

DEEPEST = 3
"""Commands within commands (``bash -c "..."``, a script fed to sbatch) that are followed."""
STARTERS = frozenset(
    {"srun", "sbatch", "mpirun", "mpiexec", "nohup", "exec", "time", "env", "numactl", "ray", "pdsh", "torchrun"}
)
"""Commands that start the shell script that is named behind them."""
MOST_STARTS = 40
"""Scripts that are started, in loops and by one another: one that starts itself has an end."""
DEEPEST_CALL = 20
"""Functions that call functions, and files that take in files."""

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[([^\]]*)\])?(\+?=)")
_FUNCTION = re.compile(
    r"(?:function[ \t]+)?([A-Za-z_][\w-]*)[ \t]*\([ \t]*\)\s*\{|function[ \t]+([A-Za-z_][\w-]*)\s*\{"
)
_DECLARES = frozenset({"declare", "local", "typeset", "readonly", "export"})


def read_script(
    text: str,
    where: str,
    settings: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    file: Path | None = None,
    files: Mapping[str, str] | None = None,
) -> Script:
    """Return the commands of a shell script, each as expanded words.

    Args:
        text: The script.
        where: What it is called in messages.
        settings: Variables that hold whatever the script assigns to them.
        arguments: Words that it is started with.
        file: Where it lies, so that files beside it can be taken in.
        files: Further files that it can start, by their names.

    Raises FormatError for an unclosed quote or bracket and for a script that grows or runs beyond all bounds.
    """
    if len(text) > LARGEST:
        raise FormatError(f"{where}: {len(text):,} characters; a launch script has fewer than {LARGEST:,}")
    given = dict(settings or {})
    script = Script(variables=given, fixed=frozenset(given), positional=list(arguments), file=file, output=read_output)
    script.is_counted, script.written = bool(arguments), dict(files or {})
    CommandReader(text.replace("\r\n", "\n"), where, script).run()
    return script


class CommandReader(DocumentReader):
    """Walks through a script from left to right, through a loop as often as it turns."""

    def __init__(
        self,
        text: str,
        where: str,
        script: Script,
        depth: int = 0,
        calls: int = 0,
        nested: int = 0,
        runs: bool | None = True,
    ) -> None:
        super().__init__(text, where, script, nested)
        self.depth, self.calls = depth, calls
        self.declares = self.maps = False
        self.flow = Flow(runs)

    def run(self) -> None:
        """Read to the end of the text."""
        while self.at < len(self.text):
            self.step()
        self.finish("\n")

    def step(self) -> None:
        """Read what begins here: a space, a joint of commands, a block, a word."""
        char = self.text[self.at]
        if self.text.startswith("\\\n", self.at):
            self.at += 2
        elif char in " \t":
            self.at += 1
        elif char == "#":
            end = end_of_line(self.text, self.at)
            self.read_directive(self.text[self.at : end])
            self.at = end
        elif self.words[:1] == ["[["] and char in "&|()" and "]]" not in self.words:
            joint = self.text[self.at : self.at + 2]
            self.words.append(joint if joint in ("&&", "||") else char)
            self.at += len(self.words[-1])
        elif char == "(" and not self.words and self.text.startswith("((", self.at):
            self.read_arithmetic()
        elif char in "\n;|&()":
            joint = self.text[self.at : self.at + 2]
            self.at += 2 if joint in ("&&", "||") else 1
            self.finish(joint if joint in ("&&", "||") else char)
        elif char in "<>":
            self.skip_redirection()
        elif not self.words and (function := _FUNCTION.match(self.text, self.at)):
            self.read_function(function)
        else:
            self.take()

    def read_directive(self, line: str) -> None:
        """Keep the options of an ``#SBATCH`` line."""
        if not line.startswith("#SBATCH"):
            return
        words = line[7:].split("#", maxsplit=1)[0].replace("=", " ").split()
        for name, value in zip(words, [*words[1:], ""], strict=True):
            if name.startswith("-"):
                self.script.directives[name] = "" if value.startswith("-") else value

    def read_arithmetic(self) -> None:
        """Read ``((...))``, which succeeds where its number is not 0."""
        self.at -= 1  # as if a dollar stood there
        inner = self.enclosed("(", ")", 1)
        variables = self.script.variables if self.flow.runs is True else dict(self.script.variables)
        number = calculate(self.expand_arithmetic(inner.strip()[1:-1]), variables)
        self.words = ["${((}"] if number is None else ["true"] if number else ["false"]

    def inner(self, text: str, script: Script, *, runs: bool | None) -> CommandReader:
        """Return a reader of commands within this one."""
        return CommandReader(text, self.where, script, self.depth, self.calls, self.nested_deep, runs)

    # --- commands ---------------------------------------------------------------------------------------------
    def finish(self, joint: str) -> None:
        """Close a command; ``joint`` is what follows it."""
        words, self.words = self.words, []
        if self.maps:
            self.script.maps.update(words)
        fed, target, self.fed, self.target = self.fed, self.target, None, ""
        self.declares = self.maps = False
        if "=~" in words:
            words, taken = settle_match(words)
            if taken:
                self.script.assign_array("BASH_REMATCH", taken, self.where)
        if self.flow.end_command(words, joint) and words not in (["true"], ["false"], ["${((}"]):
            if fed is None:
                self.obey(words)
            elif not read_input(words, fed, self.script, self.where):
                self.obey(self.take_document(words, fed, target if joint != "|" else ""))

    def obey(self, words: list[str]) -> None:
        """Keep a command, or do what changes the script's own state."""
        script, name = self.script, words[0]
        sure = self.flow.runs is True or self.flow.branches == []
        if name in script.functions and self.calls < DEEPEST_CALL:
            self.call(words)
        elif name == "eval" and self.calls < DEEPEST_CALL:
            text = " ".join(words[1:])
            CommandReader(text, self.where, script, self.depth, self.calls + 1, self.nested_deep, self.flow.runs).run()
        elif name in ("source", ".") and len(words) > 1:
            self.take_in(words[1], words[2:])
        elif name == "shift" and sure:
            count = calculate(words[1]) if len(words) > 1 else 1
            del script.positional[: count or 0]
        elif words[:2] == ["set", "--"] and sure:
            script.positional, script.is_counted = words[2:], True
        elif name == "unset" and sure:
            for word in words[1:]:
                script.drop(word)
        elif name == "let":
            for word in words[1:]:
                calculate(self.expand_arithmetic(word), script.variables)
        elif words[:2] == ["printf", "-v"] and len(words) > 3:
            printed = format_words(words[3], words[4:])
            script.assign(words[2], "${COMMAND}" if printed is None else printed)
        else:
            script.commands.append(words)
            self.follow(words)

    def call(self, words: list[str]) -> None:
        """Read the body of a function with the words behind its name as its arguments."""
        script = self.script
        before, known = script.positional, (script.is_counted, script.in_function)
        script.positional, script.is_counted, script.in_function = words[1:], True, True
        CommandReader(
            script.functions[words[0]], self.where, script, self.depth, self.calls + 1, runs=self.flow.runs
        ).run()
        script.positional, (script.is_counted, script.in_function) = before, known

    def take_in(self, name: str, arguments: list[str]) -> None:
        """Read a file that the script takes in, where it lies beside it."""
        script = self.script
        file = find_source(name, script.file)
        if file is None or self.calls >= DEEPEST_CALL:
            script.missing.append(name)
            return
        script.sources.append(str(file))
        positional, around = script.positional, script.file
        script.positional, script.file = arguments or positional, file
        text = read_text(file, "a file of a launch script", LARGEST).replace("\r\n", "\n")
        CommandReader(text, str(file), script, self.depth, self.calls + 1, runs=self.flow.runs).run()
        script.positional, script.file = positional, around

    def follow(self, words: list[str]) -> None:
        """Read what a command has another shell do: ``bash -c "..."``, ``srun bash train.sh 8``, ``./train.sh``."""
        texts: list[str] = []
        for i in range(len(words) - 2):
            if words[i] in SHELLS:
                texts = [b for a, b in zip(words[i + 1 :], words[i + 2 :], strict=False) if re.fullmatch(r"-\w*c", a)]
        for text in texts[:1]:
            self.read_inner(text)
        place = find_script(words)
        if not texts and place >= 0 and len(self.script.started) < MOST_STARTS:
            self.start_script(words[place], words[place + 1 :])

    def start_script(self, name: str, arguments: list[str]) -> None:
        """Read a script that another one starts, where it writes it itself or where it lies beside it."""
        own = self.script
        own.started.append(name)
        key = next((k for k in (name, name.rpartition("/")[2]) if k in own.written), "")
        file = None if key else find_source(name, own.file) or find_source(name.rpartition("/")[2], own.file)
        if not key and file is None:
            own.absent.append(name)
            return
        text = own.written[key] if file is None else read_text(file, "a file of a launch script", LARGEST)
        positional, around, known = own.positional, own.file, own.is_counted
        own.positional, own.file, own.is_counted = arguments, file or around, True
        self.read_inner(text.replace("\r\n", "\n"))
        own.positional, own.file, own.is_counted = positional, around, known

    def read_inner(self, text: str) -> None:
        """Read a script within this one, which changes none of its variables; what cannot be read is no script."""
        if self.depth < DEEPEST:
            own = self.script
            inner = replace(own, commands=[], variables=dict(own.variables), arrays=dict(own.arrays))
            with suppress(FormatError):
                CommandReader(text, self.where, inner, self.depth + 1, self.calls).run()
            own.commands += inner.commands
            own.grown, own.steps = inner.grown, inner.steps

    # --- words ------------------------------------------------------------------------------------------------
    def take(self) -> None:
        """Read one word: an assignment where a command could begin, else words of the command."""
        assignment = _ASSIGNMENT.match(self.text, self.at) if not self.words else None
        if assignment:
            self.assign(assignment)
            return
        words = self.read_word()
        if not self.words and len(words) == 1:
            if self.read_block(words[0]):
                return
            self.flow.take_word(words[0])
            if words[0] in KEYWORDS:
                self.declares = words[0] in _DECLARES
                return
            if self.declares and words[0].startswith("-"):
                self.maps = self.maps or "A" in words[0]
                return  # the -a of declare -a
        self.grow(sum(len(w) for w in words))
        self.words += words

    def assign(self, assignment: re.Match[str]) -> None:
        """Read a value, or a list of them, into a variable."""
        name, index, adds = assignment[1], assignment[2], assignment[3] == "+="
        self.at = assignment.end()
        self.flow.end_assignment()
        script = self.script
        if self.flow.runs is False:  # read all the same, to get past it
            script = replace(script, variables=dict(script.variables), arrays=dict(script.arrays))
        elif self.flow.runs is None:
            script.contested.add(name)
        if self.maps:
            script.maps.add(name)
        if self.text.startswith("(", self.at):
            self.at += 1
            items = self.read_list()
            script.assign_array(name, [*script.arrays.get(name, []), *items] if adds else items, self.where)
            return
        value = " ".join(self.read_word(splits=False)) if self.has_word() else ""
        if index is not None:
            self.assign_item(script, name, index, value)
            return
        whole = script.variables.get(name, "") + value if adds else value
        self.grow(len(whole))
        script.assign(name, whole)

    def assign_item(self, script: Script, name: str, index: str, value: str) -> None:
        """Set one item of an array; one with a name for its place is kept as a variable of its own."""
        if name in script.maps:
            script.assign(f"{name}[{self.nested(index)}]", value)
            return
        place = calculate(self.expand_arithmetic(index), script.variables)
        items = list(script.arrays.get(name, []))
        if place is None or not 0 <= place <= len(items):
            script.assign(f"{name}[{index}]", value)
            return
        items[place : place + 1] = [value]
        script.assign_array(name, items, self.where)

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
                self.at = end_of_line(self.text, self.at)
            elif char in ";|&(<>":
                self.at += 1
            else:
                items += self.read_word()


def find_script(words: Sequence[str]) -> int:
    """Return where a command names the shell script that it starts, -1 where it starts none.

    >>> find_script(["srun", "-N", "2", "bash", "-x", "train.sh", "8"]), find_script(["python", "train.py", "run.sh"])
    (5, -1)
    """
    for i, word in enumerate(words):
        if word.endswith(".py") or "=" in word:
            return -1
        if word in SHELLS:
            return next((j for j in range(i + 1, len(words)) if not words[j].startswith("-")), -1)
        if word.endswith((".sh", ".sbatch", ".slurm")):
            return i if i == 0 or words[0] in STARTERS else -1
    return -1


def read_output(text: str, where: str, script: Script, nested: int) -> str | None:
    """Return the output of commands in ``$(...)``, None where it hangs on more than the script."""
    own = replace(
        script,
        commands=[],
        variables=dict(script.variables),
        arrays=dict(script.arrays),
        contested=set(),
        steps=0,
        grown=0,
    )
    try:
        CommandReader(text.strip(), where, own, nested=nested).run()
    except FormatError:
        return None
    finally:
        script.step(own.steps, where)
    place, output = None, ""
    for words in own.commands:
        if words[:1] == ["cd"]:
            place = words[-1] if len(words) > 1 and words[-1] != "--" else None
            continue
        if words == ["pwd"] or words[:2] in (["pwd", "-P"], ["pwd", "-L"]):
            output += _folder(place, script)
            continue
        printed = print_words(words)
        if printed is None:
            return None
        output += printed
    return output if own.commands else None


def _folder(place: str | None, script: Script) -> str:
    if place is None:
        return str(script.file.parent) if script.file else "."
    return posixpath.normpath(place) if "${" not in place else place
