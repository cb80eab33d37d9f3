"""Options that write an answer as files: one web page, its plots, its tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from tianji.cli.output import spell_command

if TYPE_CHECKING:
    from tianji.api.answer import Answer

REPORT_OPTIONS = (
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
        if self == Reports():
            return
        from tianji.parallel.plan_file import find_target
        from tianji.report.pages.files import find_folder

        if self.html is not None:
            find_target(self.html)
        for folder in (self.plots, self.csv):
            if folder is not None:
                find_folder(folder)

    def write(self, answer: Answer[Any]) -> None:
        """Write what is wanted of an answer, and say on stderr where it is.

        Raises InputError when something cannot be written.
        """
        if self.html is not None:
            click.echo(answer.save_html(self.html, spell_command()), err=True)
        if self.plots is not None:
            click.echo(answer.save_plots(self.plots), err=True)
        if self.csv is not None:
            click.echo(answer.save_tables(self.csv), err=True)
