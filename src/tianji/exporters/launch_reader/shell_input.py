"""What commands of a shell script read: here-documents and here-strings into variables, files and options, ``getopts``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tianji.exporters.launch_reader.shell_arithmetic import calculate
from tianji.exporters.launch_reader.shell_script import Script

_VALUED = frozenset("adeinNptu")
"""Options of ``read`` and ``mapfile`` that take a value, ``-a`` the array's name."""


def read_input(words: Sequence[str], text: str, script: Script, where: str) -> bool:
    """Set the variables that ``read`` or ``mapfile`` takes from a text; returns whether the command is one of them."""
    if not words or words[0] not in ("read", "mapfile", "readarray"):
        return False
    options, names = _split_options(words)
    if words[0] != "read":
        script.assign_array(
            names[0] if names else "MAPFILE", text.split("\n")[: -1 if text.endswith("\n") else None], where
        )
        return True
    separator = script.variables.get("IFS", " \t\n")
    whole = text if options.get("d") == "" else text.partition("\n")[0]
    parts = re.split(
        f"[{re.escape(separator)}]+" if separator.isspace() else f"[{re.escape(separator)}]", whole.strip()
    )
    if "a" in options:
        script.assign_array(options["a"], [p for p in parts if p], where)
        return True
    for i, name in enumerate(names or ["REPLY"]):
        is_last = i == max(len(names), 1) - 1
        rest = parts[i:] if is_last else parts[i : i + 1]
        joined = whole.strip(separator or "\n") if is_last and i == 0 else (separator[:1] or " ").join(rest)
        script.assign(name, joined)
    return True


def _split_options(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return the options of ``read`` with their values, and the names behind them."""
    options: dict[str, str] = {}
    rest = list(words[1:])
    while rest and rest[0].startswith("-") and len(rest[0]) > 1:
        letters = rest.pop(0)[1:]
        for i, letter in enumerate(letters):
            if letter not in _VALUED or (words[0] != "read" and letter == "t"):
                options[letter] = ""
                continue
            options[letter] = letters[i + 1 :] or (rest.pop(0) if rest else "")
            break
    return options, rest


def next_option(letters: str, name: str, script: Script) -> bool | None:
    """Take the next option of the script's own arguments, as ``getopts`` does; returns whether there is one.

    None where the arguments are not known.
    """
    at = calculate(script.variables.get("OPTIND", "1")) or 1
    if at > len(script.positional):
        return False
    word = script.positional[at - 1]
    if "${" in word:
        return None
    if not re.fullmatch(r"-[A-Za-z0-9].*", word, re.DOTALL):
        return False
    letter = word[1]
    takes = f"{letter}:" in letters
    script.assign(name, letter if letter in letters else "?")
    if takes:
        following = script.positional[at] if at < len(script.positional) else ""
        script.assign("OPTARG", word[2:] or following)
        at += 0 if word[2:] else 1
    script.assign("OPTIND", str(at + 1))
    return True
