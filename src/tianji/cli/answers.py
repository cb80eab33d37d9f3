"""What happens to the answer of a command: one JSON document or tables on stdout, and files."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tianji.cli.allocation import keep_freed_memory
from tianji.cli.options import json_option
from tianji.cli.reports import REPORT_OPTIONS, Reports

if TYPE_CHECKING:
    from tianji.api.answer import Answer

F = TypeVar("F", bound=Callable[..., Any])


def answering(command: F) -> F:
    """Show the answer that a command returns, as ``--json``, ``--html``, ``--plots`` and ``--csv`` say."""

    @wraps(command)
    def answer_and_show(*, html: str | None, plots: str | None, csv: str | None, as_json: bool, **options: Any) -> None:
        reports = Reports(html, plots, csv)
        reports.check()
        keep_freed_memory()
        answer: Answer[Any] = command(**options)
        reports.write(answer)
        show_answer(answer, as_json)

    wrapped: Any = answer_and_show
    for option in reversed((*REPORT_OPTIONS, json_option)):
        wrapped = option(wrapped)
    # An option gives back what it is put on: the command, with one option more.
    return wrapped  # type: ignore[no-any-return]


def show_answer(answer: Answer[Any], as_json: bool) -> None:
    """Print an answer: one JSON document and nothing else, or tables."""
    if as_json:
        click.echo(answer.to_json())
    else:
        answer.show()
