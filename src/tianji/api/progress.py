"""Progress of what takes long: on stderr, and only for a person who waits at a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

PATIENCE = 0.5
"""Seconds before a progress line shows: what is done at once needs none."""


class Counter(Protocol):
    """Takes the count so far and, where it is known, how far it goes."""

    def __call__(self, count: int, total: int | None = None, /) -> None:
        """Show the count."""


@contextmanager
def show_progress(what: str) -> Iterator[Counter]:
    """Show how far a long count has come; yields the function that takes the count so far."""
    if not sys.stderr.isatty():
        yield lambda count, total=None: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20), TimeElapsedColumn())
    started, shown = time.monotonic(), False
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(what, total=None)

    def count_up(count: int, total: int | None = None, /) -> None:
        nonlocal shown
        if not shown and time.monotonic() - started > PATIENCE:
            bar.start()
            shown = True
        bar.update(task, description=f"{what}: {count:,}", completed=count, total=total)

    try:
        yield count_up
    finally:
        if shown:
            bar.stop()
