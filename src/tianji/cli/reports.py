"""Options that write an answer as files: one web page, its plots, its tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import click

from tianji.cli.output import spell_command

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--html", metavar="FILE", help="Also write one self-contained web page with plots and sources."),
    click.option("--plots", metavar="FOLDER", help="Also write the page's plots, as SVG and PNG."),
    click.option("--csv", metavar="FOLDER", help="Also write the page's tables, as CSV."),
)


@dataclass(frozen=True, slots=True)
class Reports:
    """The files that the user wants of an answer, by where they go."""

    html: str | None = None
    plots: str | None = None
    csv: str | None = None

    def check(self) -> None:
        """Make sure that everything can be written, before long work.

        Raises InputError for what cannot.
        """
        from tianji.parallel.plan_file import find_target
        from tianji.report.pages.files import find_folder

        if self.html is not None:
            find_target(self.html)
        for folder in (self.plots, self.csv):
            if folder is not None:
                find_folder(folder)

    def write(self, document: Mapping[str, Any], kind: str) -> None:
        """Write what is wanted of the page of a document, and say on stderr where it is.

        Raises InputError when something cannot be written.
        """
        if self == Reports():
            return
        from tianji.report.pages.files import write_page, write_plots, write_tables
        from tianji.report.pages.kinds import make_page

        page = make_page(document, kind)
        if self.html is not None:
            click.echo(write_page(page, self.html, spell_command()), err=True)
        if self.plots is not None:
            click.echo(write_plots(page.charts(), self.plots), err=True)
        if self.csv is not None:
            click.echo(write_tables(page.tables(), self.csv), err=True)


def report_options(command: F) -> F:
    """Add the options and hand them to the command as ``reports``, checked."""

    @wraps(command)
    def with_reports(*, html: str | None, plots: str | None, csv: str | None, **others: Any) -> Any:
        reports = Reports(html, plots, csv)
        reports.check()
        return command(reports=reports, **others)

    wrapped: Any = with_reports
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    # An option gives back what it is put on: the command, with one option more.
    return wrapped  # type: ignore[no-any-return]
