"""Where an answer goes: to the terminal or as JSON to stdout, and as a page, its charts and its tables to files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from tianji.cli.allocation import keep_freed_memory
from tianji.cli.options import add_options, json_option
from tianji.cli.output import format_command

if TYPE_CHECKING:
    from tianji.api.answer import Answer

F = TypeVar("F", bound=Callable[..., Any])

_FILES = (
    click.option("--html", metavar="FILE", help="Also write one self-contained web page with plots and sources."),
    click.option("--plots", metavar="FOLDER", help="Also write the page's plots, as SVG and PNG."),
    click.option("--csv", metavar="FOLDER", help="Also write the page's tables, as CSV."),
)


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where the user wants an answer."""

    html: str | None = None
    plots: str | None = None
    csv: str | None = None
    as_json: bool = False

    @property
    def has_files(self) -> bool:
        """Something is to be written."""
        return not self.html is self.plots is self.csv is None

    def check(self) -> None:
        """Make sure that every file can be written, before long work.

        Raises InputError for what cannot.
        """
        if not self.has_files:
            return
        from tianji.parallel.plan_file import find_target
        from tianji.report.render.files import find_folder

        if self.html is not None:
            find_target(self.html)
        for folder in (self.plots, self.csv):
            if folder is not None:
                find_folder(folder)

    def present(self, answer: Answer[Any]) -> None:
        """Write the files of an answer and say on stderr where they are, then print it as JSON or as tables.

        Raises InputError when a file cannot be written.
        """
        from tianji.formatting import printable

        if self.html is not None:
            click.echo(printable(answer.save_html(self.html, format_command())), err=True)
        if self.plots is not None:
            click.echo(printable(answer.save_plots(self.plots)), err=True)
        if self.csv is not None:
            click.echo(printable(answer.save_tables(self.csv)), err=True)
        if self.as_json:
            click.echo(answer.to_json())
            answer.show_notes()
        else:
            answer.show()


def output_options(command: F) -> F:
    """Add --html, --plots, --csv and --json, and hand them to the command as ``outputs``, checked."""

    @wraps(command)
    def with_outputs(
        *, html: str | None, plots: str | None, csv: str | None, as_json: bool, **options: Any
    ) -> Any:  # fmt: skip
        outputs = Outputs(html, plots, csv, as_json)
        outputs.check()
        return command(outputs=outputs, **options)

    # An option gives back what it is put on: the command, with one option more.
    return cast(F, add_options(*_FILES, json_option)(with_outputs))


def answering(command: F) -> F:
    """Present the answer that a command returns, as --html, --plots, --csv and --json say."""

    @wraps(command)
    def answer_and_present(*, outputs: Outputs, **options: Any) -> None:
        keep_freed_memory()
        outputs.present(command(**options))

    return output_options(cast(F, answer_and_present))
