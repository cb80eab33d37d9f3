"""The words of the command line: a page says how it was made."""

from __future__ import annotations

WORDS = "tianji.words"
"""Where the group keeps the words of the command line, in the context's ``meta``."""


def format_command() -> str:
    """Return the words of the command that runs, as a shell takes them."""
    import shlex

    import click

    context = click.get_current_context(silent=True)
    words = context.find_root().meta.get(WORDS, []) if context else []
    return shlex.join(["tianji", *words])
