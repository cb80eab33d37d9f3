"""What commands without an answer print, and the words of the command line: a page says how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

WORDS = "tianji.words"
"""Where the group keeps the words of the command line, in the context's ``meta``."""


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout; a number that is not finite is a mistake of ours and stops it."""
    print(json.dumps(document, indent=2, allow_nan=False), flush=True)


def format_command() -> str:
    """Return the words of the command that runs, as a shell takes them."""
    import shlex

    import click

    context = click.get_current_context(silent=True)
    words = context.find_root().meta.get(WORDS, []) if context else []
    return shlex.join(["tianji", *words])
