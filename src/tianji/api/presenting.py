"""The seam between the verbs and ``report``: how one answer becomes a line, a document, tables and a page."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from tianji.report.view import View

NOTEBOOK_WIDTH = 110
"""Columns of the tables in a notebook."""
FRAME = '<pre style="line-height: 1.2; white-space: pre; overflow-x: auto">{code}</pre>'


class Presentation(ABC):
    """Everything that is shown of one answer; nothing is computed before it is asked for."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know beside the answer."""
        return ()

    @abstractmethod
    def summary(self) -> str:
        """Return the answer in one line."""

    @abstractmethod
    def make_document(self) -> Mapping[str, Any]:
        """Return the answer as plain values in SI units."""

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """What :meth:`make_document` returns, made once."""
        return self.make_document()

    @property
    def view(self) -> View:
        """What is shown of the document."""
        from tianji.report.present import view_of

        return view_of(self.document)

    def print_tables(self, console: Console) -> None:
        """Print the answer for people."""
        from tianji.report.render.terminal import print_view

        print_view(console, self.view)

    def to_html(self) -> str:
        """Return the tables as a piece of HTML, for a notebook."""
        from rich.console import Console

        console = Console(width=NOTEBOOK_WIDTH, highlight=False, record=True, file=io.StringIO(), force_jupyter=False)
        self.print_tables(console)
        return console.export_html(inline_styles=True, code_format=FRAME)


def make_console(width: int | None = None) -> Console:
    """Return the console that tables go to: as wide as the terminal, without colour when piped."""
    from rich.console import Console

    return Console(width=width, highlight=False, soft_wrap=False)
