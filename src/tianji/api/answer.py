"""What every verb returns: a typed result, and ways to look at it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from tianji.api.presenting import Presentation, make_console
from tianji.hardware.calibration import Calibration

T = TypeVar("T")


class Answer(Generic[T]):
    """A result with the calibration that it was made with.

    ``answer.result`` is the typed result; its attributes are the answer's own, too: ``answer.step_time`` is
    ``answer.result.step_time``. ``show()`` prints what the command prints, ``to_json()`` returns what ``--json`` prints,
    ``save_html()`` writes what ``--html`` writes.
    """

    def __init__(self, result: T, presentation: Presentation, calibration: Calibration | None = None) -> None:
        self.result = result
        self.calibration = calibration
        self.presentation = presentation

    def __getattr__(self, name: str) -> Any:
        # An answer that is being unpickled has no result yet, and a private name is never the result's.
        if name.startswith("_") or "result" not in self.__dict__:
            raise AttributeError(name)
        try:
            return getattr(self.result, name)
        except AttributeError:
            raise AttributeError(f"neither the answer nor its {type(self.result).__name__} has {name!r}") from None

    def __dir__(self) -> list[str]:
        names = [name for name in dir(self.result) if not name.startswith("_")]
        return sorted({*super().__dir__(), *names})

    def __repr__(self) -> str:
        return f"<{self.presentation.summary()}>"

    def _repr_html_(self) -> str:
        return self.presentation.to_html()

    @property
    def document(self) -> Mapping[str, Any]:
        """The answer as plain values in SI units, as ``--json`` prints them."""
        return self.presentation.document

    def show(self, width: int | None = None) -> None:
        """Print the tables of the command, as wide as the terminal or as ``width`` says; notes go to stderr."""
        self.presentation.print_tables(make_console(width))
        for note in self.presentation.notes:
            print(f"tianji: note: {note}", file=sys.stderr)

    def to_json(self) -> str:
        """Return the document as JSON; a number that is not finite is a mistake of ours and raises ValueError."""
        return json.dumps(self.document, indent=2, allow_nan=False)

    def save_html(self, path: str | os.PathLike[str], command: str = "") -> str:
        """Write one self-contained web page, and return what was done in words; ``command`` is what makes it again.

        Raises InputError when the file cannot be written.
        """
        from tianji.report.render.files import write_page

        return write_page(self.presentation.view, os.fspath(path), command)

    def save_plots(self, folder: str | os.PathLike[str]) -> str:
        """Write the page's plots into a folder, as SVG and PNG, and return what was done in words."""
        from tianji.report.render.files import write_plots

        return write_plots(self.presentation.view.charts(), os.fspath(folder))

    def save_tables(self, folder: str | os.PathLike[str]) -> str:
        """Write the page's tables into a folder, as CSV, and return what was done in words."""
        from tianji.report.render.files import write_tables

        return write_tables(self.presentation.view.tables(), os.fspath(folder))
