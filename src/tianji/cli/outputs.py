"""Where an answer goes: to the terminal or as JSON to stdout, and as a page, its charts and its tables to files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast

import click

from tianji.cli.output import format_command, make_console, print_json

F = TypeVar("F", bound=Callable[..., Any])

_FILES = (
    click.option("--html", metavar="FILE", help="Also write one self-contained web page with plots and sources."),
    click.option("--plots", metavar="FOLDER", help="Also write the page's plots, as SVG and PNG."),
    click.option("--csv", metavar="FOLDER", help="Also write the page's tables, as CSV."),
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, nothing else.")


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where the user wants an answer."""

    html: str | None = None
    plots: str | None = None
    csv: str | None = None
    as_json: bool = False

    def check(self) -> None:
        """Make sure that every file can be written, before long work.

        Raises InputError for what cannot.
        """
        from tianji.parallel.plan_file import find_target
        from tianji.report.render.files import find_folder

        if self.html is not None:
            find_target(self.html)
        for folder in (self.plots, self.csv):
            if folder is not None:
                find_folder(folder)

    def present(self, document: Mapping[str, Any], *, every_row: bool = False) -> None:
        """Write the files, then print the document as JSON or its view as text; ``every_row`` thins no table.

        Raises InputError when a file cannot be written.
        """
        self.write(document)
        if self.as_json:
            print_json(document)
            return
        from tianji.report.present import view_of
        from tianji.report.render.terminal import print_view

        print_view(make_console(), view_of(document), every_row=every_row)

    def write(self, document: Mapping[str, Any]) -> None:
        """Write the files of a document's view, and say on stderr where they are.

        Raises InputError when a file cannot be written.
        """
        if self.html is self.plots is self.csv is None:
            return
        from tianji.report.present import view_of
        from tianji.report.render.files import write_page, write_plots, write_tables

        shown = view_of(document)
        if self.html is not None:
            click.echo(write_page(shown, self.html, format_command()), err=True)
        if self.plots is not None:
            click.echo(write_plots(shown.charts(), self.plots), err=True)
        if self.csv is not None:
            click.echo(write_tables(shown.tables(), self.csv), err=True)


def output_options(command: F) -> F:
    """Add --html, --plots, --csv and --json, and hand them to the command as ``outputs``, checked."""

    @wraps(command)
    def with_outputs(
        *, html: str | None, plots: str | None, csv: str | None, as_json: bool, **others: Any
    ) -> Any:  # fmt: skip
        outputs = Outputs(html, plots, csv, as_json)
        outputs.check()
        return command(outputs=outputs, **others)

    # An option gives back what it is put on: the command, with one option more.
    return cast(F, _with_options(with_outputs, (*_FILES, _JSON)))


def report_options(command: F) -> F:
    """Add --html, --plots and --csv, and hand them to the command as ``reports``, checked."""

    @wraps(command)
    def with_reports(*, html: str | None, plots: str | None, csv: str | None, **others: Any) -> Any:
        reports = Outputs(html, plots, csv)
        reports.check()
        return command(reports=reports, **others)

    return cast(F, _with_options(with_reports, _FILES))


def _with_options(command: Callable[..., Any], options: tuple[Any, ...]) -> Any:
    for option in reversed(options):
        command = option(command)
    return command
