"""Shell scripts: arrays of options, each line with its comment, and the call at the end."""

from __future__ import annotations

import re

from tianji.exporters.formats.arguments import Argument, Artefact, OptionGroup, Tree, Value
from tianji.exporters.formats.quoting import clean_comment, quote_shell
from tianji.exporters.formats.serialize import comment_lines

WIDTH = 46
"""Column where a comment stands beside its option."""

_REFERENCE = re.compile(r"\$\{[A-Z_]+\}")


def needed(name: str, what: str, fallback: str = "") -> Argument:
    """Return a variable that the user fills in: the script stops with ``what`` where neither it nor the fallback is set."""
    inner = f"${{{fallback}:?FILL IN: {what}}}" if fallback else ""
    return Argument(name, f"${{{name}:-{inner}}}" if inner else f"${{{name}:?FILL IN: {what}}}", "")


def write_script(
    name: str,
    title: str,
    facts: list[str],
    needs: Tree,
    environment: Tree,
    sections: list[OptionGroup],
    call: list[str],
) -> Artefact:
    """Return a script: what to fill in, environment, arrays of options, and the call as words or ``"${ARRAY[@]}"``."""
    parts = ["#!/usr/bin/env bash\n" + comment_lines(title, "", *facts) + "set -euo pipefail\n"]
    if needs:
        lines = "".join(f'{item.name}="{item.value}"\n' for item in needs)
        parts.append(comment_lines("--- fill in: set these in the environment, or edit them here") + lines)
    if environment:
        exports = "".join(_beside(f"export {e.name}={_word(e.value)}", e.comment) + "\n" for e in environment)
        parts.append(comment_lines("--- environment") + exports)
    parts += [_array(section) for section in sections]
    parts.append(" \\\n    ".join(call) + ' "$@"\n')
    return Artefact(name, "\n".join(parts), is_executable=True)


def spread(section: OptionGroup) -> str:
    """Return the words of a section's array, as a call names them."""
    return f'"${{{section.variable}[@]}}"'


def _array(section: OptionGroup) -> str:
    lines = [_beside(f"    {_option(a)}", a.comment) for a in section.arguments]
    return comment_lines(f"--- {section.title}") + "\n".join([f"{section.variable}=(", *lines, ")"]) + "\n"


def _option(argument: Argument) -> str:
    return " ".join([argument.name, *shell_words(argument.value)])


def shell_words(value: Value) -> list[str]:
    """Return an option's value as words of a shell; a switch has none."""
    if value is None:
        return []
    if isinstance(value, list):
        return [word for item in value for word in shell_words(item)]
    return [_word(value)]


def _word(value: Value) -> str:
    # A reference to a variable of the script is the one text that the shell must expand.
    text = str(value)
    return f'"{text}"' if _REFERENCE.fullmatch(text) else quote_shell(text)


def _beside(line: str, comment: str) -> str:
    return f"{line:<{WIDTH}}  # {clean_comment(comment)}" if comment else line
