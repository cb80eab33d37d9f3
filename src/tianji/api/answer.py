"""What every verb returns: a typed result, and ways to look at it."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tianji.errors import FormatError
from tianji.formatting import printable
from tianji.hardware.calibration import Calibration

if TYPE_CHECKING:
    from rich.console import Console

    from tianji.report.view import View

T = TypeVar("T")

NOTEBOOK_WIDTH = 110
"""Columns of the tables in a notebook."""
FRAME = '<pre style="line-height: 1.2; white-space: pre; overflow-x: auto">{code}</pre>'


class Answer(Generic[T]):
    """A result with the calibration that it was made with.

    ``answer.result`` is the typed result; its attributes are the answer's own, too: ``answer.step_time`` is
    ``answer.result.step_time``. ``show()`` prints what the command prints, ``to_json()`` returns what ``--json`` prints,
    ``save_html()`` writes what ``--html`` writes.

    Args:
        result: What the verb found out.
        summary: The answer in one line.
        make_document: Makes the document of ``report``; it is called when somebody asks for it, and once.
        calibration: None where none was used.
        notes: What a reader should know beside the answer.
        text: What is printed in place of the document's view: a program's own text, which is copied as it is.
        every_row: No table is thinned on a terminal.
    """

    def __init__(
        self, result: T, summary: str, make_document: Callable[[], Mapping[str, Any]], calibration: Calibration | None = None,
        *, notes: tuple[str, ...] = (), text: str | None = None, every_row: bool = False,
    ) -> None:  # fmt: skip
        self.result = result
        self.summary = summary
        self.calibration = calibration
        self.notes = notes
        self._make_document, self._text, self._every_row = make_document, text, every_row

    def __getattr__(self, name: str) -> Any:
        # An answer that is being copied has no result yet, and a private name is never the result's.
        if name.startswith("_") or "result" not in self.__dict__:
            raise AttributeError(name)
        if hasattr(type(self), name):
            # The answer has it, so making it failed: asked again, the mistake inside is said, not this name.
            return object.__getattribute__(self, name)
        try:
            return getattr(self.result, name)
        except AttributeError:
            raise AttributeError(f"neither the answer nor its {type(self.result).__name__} has {name!r}") from None

    def __dir__(self) -> list[str]:
        names = [name for name in dir(self.result) if not name.startswith("_")]
        return sorted({*super().__dir__(), *names})

    def __repr__(self) -> str:
        return f"<{self.summary}>"

    def _repr_html_(self) -> str:
        from rich.console import Console

        console = Console(width=NOTEBOOK_WIDTH, highlight=False, record=True, file=io.StringIO(), force_jupyter=False)
        self._print(console)
        return console.export_html(inline_styles=True, code_format=FRAME)

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The answer as plain values in SI units, as ``--json`` prints them."""
        return self._make_document()

    def to_json(self) -> str:
        """Return the document as JSON; a number that is not finite is a mistake of ours and raises ValueError."""
        return json.dumps(self.document, indent=2, allow_nan=False)

    def show(self, width: int | None = None) -> None:
        """Print the tables of the command, as wide as the terminal or as ``width`` says; notes go to stderr."""
        self._print(make_console(width))
        self.show_notes()

    def show_notes(self) -> None:
        """Print the notes to stderr."""
        for note in self.notes:
            print(f"tianji: note: {printable(note)}", file=sys.stderr)

    def save_html(self, path: str | os.PathLike[str], command: str = "") -> str:
        """Write one self-contained web page, and return what was done in words; ``command`` is what makes it again.

        Raises InputError when the file cannot be written.
        """
        from tianji.report.render.files import write_page

        return write_page(self._view(), os.fspath(path), command)

    def save_plots(self, folder: str | os.PathLike[str]) -> str:
        """Write the page's plots into a folder, as SVG and PNG, and return what was done in words."""
        from tianji.report.render.files import write_plots

        return write_plots(self._view().charts(), os.fspath(folder))

    def save_tables(self, folder: str | os.PathLike[str]) -> str:
        """Write the page's tables into a folder, as CSV, and return what was done in words."""
        from tianji.report.render.files import write_tables

        return write_tables(self._view().tables(), os.fspath(folder))

    def _view(self) -> View:
        from tianji.report.present import view_of

        if "document" not in self.document:
            raise FormatError("there is no page of this answer, no plot and no table; take its text or its JSON")
        return view_of(self.document)

    def _print(self, console: Console) -> None:
        if self._text is not None:
            console.out(self._text, highlight=False, end="")
            return
        from tianji.report.render.terminal import print_view

        print_view(console, self._view(), every_row=self._every_row)


def make_console(width: int | None = None) -> Console:
    """Return the console that tables go to: as wide as the terminal, without colour when piped."""
    from rich.console import Console

    return Console(width=width, highlight=False, soft_wrap=False)
