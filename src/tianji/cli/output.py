"""What a command writes: one JSON document or tables on stdout, progress on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

WORDS = "tianji.words"
"""Where the group keeps the words of the command line, in the context's ``meta``."""
PATIENCE = 0.5
"""Seconds before a progress line shows: what is done at once needs none."""


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout; a number that is not finite is a mistake of ours and stops it."""
    print(json.dumps(document, indent=2, allow_nan=False), flush=True)


def make_console(width: int | None = None) -> Console:
    """Return the console that tables go to: as wide as the terminal, without colour when piped."""
    from rich.console import Console

    return Console(width=width, highlight=False, soft_wrap=False)


@contextmanager
def watch(what: str) -> Iterator[Callable[[int], None]]:
    """Show how far a long count has come, on stderr and only for a person who waits at a terminal.

    Yields the function that is told the count so far.
    """
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20), TimeElapsedColumn())
    started, shown = time.monotonic(), False
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(what, total=None)

    def tell(count: int) -> None:
        nonlocal shown
        if not shown and time.monotonic() - started > PATIENCE:
            bar.start()
            shown = True
        bar.update(task, description=f"{what}: {count:,}")

    try:
        yield tell
    finally:
        if shown:
            bar.stop()


def format_command() -> str:
    """Return the words of the command that runs, as a shell takes them."""
    import shlex

    import click

    context = click.get_current_context(silent=True)
    words = context.find_root().meta.get(WORDS, []) if context else []
    return shlex.join(["tianji", *words])
