"""The seam between the verbs and ``report``: how one answer becomes a line, tables, a document and a page."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from rich.console import Console

    from tianji.report.pages.parts import Page

NOTEBOOK_WIDTH = 110
"""Columns of the tables in a notebook."""
FRAME = '<pre style="line-height: 1.2; white-space: pre; overflow-x: auto">{code}</pre>'


class Presentation(ABC):
    """Everything that is shown of one answer; nothing is computed before it is asked for."""

    kind: ClassVar[str] = ""
    """The name of the answer's page, in ``report.pages.kinds``; empty where there is no page."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know beside the answer."""
        return ()

    @abstractmethod
    def summary(self) -> str:
        """Return the answer in one line."""

    @abstractmethod
    def document(self) -> dict[str, Any]:
        """Return the answer as plain values in SI units."""

    @abstractmethod
    def print_tables(self, console: Console) -> None:
        """Print the answer for people."""

    def to_html(self) -> str:
        """Return the tables as a piece of HTML, for a notebook."""
        from rich.console import Console

        console = Console(width=NOTEBOOK_WIDTH, highlight=False, record=True, file=io.StringIO(), force_jupyter=False)
        self.print_tables(console)
        return console.export_html(inline_styles=True, code_format=FRAME)

    def write_html(self, document: Mapping[str, Any], path: str, command: str) -> str:
        """Write the page of a document, and return what was done in words."""
        from tianji.report.pages.files import write_page

        return write_page(self._page(document), path, command)

    def write_plots(self, document: Mapping[str, Any], folder: str) -> str:
        """Write the plots of a document's page, and return what was done in words."""
        from tianji.report.pages.files import write_plots

        return write_plots(self._page(document).charts(), folder)

    def write_tables(self, document: Mapping[str, Any], folder: str) -> str:
        """Write the tables of a document's page, and return what was done in words."""
        from tianji.report.pages.files import write_tables

        return write_tables(self._page(document).tables(), folder)

    def _page(self, document: Mapping[str, Any]) -> Page:
        from tianji.report.pages.kinds import make_page

        return make_page(document, self.kind)


def make_console(width: int | None = None) -> Console:
    """Return the console that tables go to: as wide as the terminal, without colour when piped."""
    from rich.console import Console

    return Console(width=width, highlight=False, soft_wrap=False)
