"""``tianji validate``: measured runs beside their predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tianji.cli.options import calibration_option, workers_option
from tianji.cli.outputs import answering
from tianji.errors import FormatError

if TYPE_CHECKING:
    from tianji.api.answer import Answer
    from tianji.validation import Verdict


@click.command("validate")
@click.argument("tables", nargs=-1, metavar="[TABLE.csv]...")
@calibration_option
@click.option("--split", default="", metavar="WORD", help="Only rows with this word in the column split: fit or check.")
@click.option(
    "--quality", default="", metavar="WORD", help="Only rows with this word in the column quality: A, B or C."
)
@click.option(
    "--group-by", metavar="NAMES",
    help="Accuracy by group, several names joined by commas: chip, source, software, class, feature, scale, ...  "
    "[default: chip]",
)  # fmt: skip
@click.option("--rows", is_flag=True, help="Show every row, not only the worst.")
@click.option(
    "--report", metavar="FILE.md",
    help="Also write a page in Markdown, with a figure FILE.svg beside it.",
)  # fmt: skip
@click.option(
    "--columns", is_flag=True, help="Explain the columns of a table: type, unit, allowed words, meaning, example."
)
@click.option(
    "--template", metavar="FILE.csv", help="Write a table with the columns that most runs need, to be filled in."
)
@workers_option
@answering
def validate_command(tables: tuple[str, ...], report: str | None, **options: Any) -> Answer[Any]:
    r"""Predict measured runs and say how far off the predictions are.

    --columns says which columns TABLE.csv may have. A row that cannot be predicted is skipped, and the reasons are counted; a
    cell that its column never holds ends the command with its row and column. Without a table the shipped ones are used.
    Layouts of one job are ranked, too: regret is the measured time of the layout that Tianji would pick over the best one's.

    \b
    Examples:
      tianji validate --split check --quality A
      tianji validate --template my-runs.csv
      tianji validate --columns
      tianji validate my-runs.csv --group-by chip,feature --html report.html
      tianji validate --calibration none --json
    """
    from tianji.api.validating import validate

    answer = validate(*tables, **options)
    if report and answer.result is not None:
        write_report(report, answer.result)
    return answer


def write_report(path: str, verdict: Verdict) -> None:
    """Write a page in Markdown and its figure.

    Raises FormatError for another kind of file, and when one of them cannot be written.
    """
    from tianji.report.accuracy_markdown import write_accuracy

    if not path.endswith(".md"):
        raise FormatError(f"--report {path}: expected the name of a Markdown file, like accuracy.md")
    figure = write_figure(Path(path), verdict)
    write_page(path, write_accuracy(verdict, figure.name))


def write_figure(page: Path, verdict: Verdict) -> Path:
    """Write the picture of predicted against measured beside a page; return its file."""
    from tianji.report.documents.validation import prediction_row
    from tianji.report.render.markup import to_xml
    from tianji.report.render.svg.drawing import draw_chart
    from tianji.report.views.validation import scatter_chart

    figure = page.with_suffix(".svg")
    rows = [prediction_row(p) for p in verdict.predictions]
    write_page(str(figure), to_xml(draw_chart(scatter_chart(rows), alone=True)))
    return figure


def write_page(path: str, page: str) -> None:
    """Write a text file.

    Raises FormatError when it cannot be written.
    """
    try:
        Path(path).write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise FormatError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder that exists"
        ) from None
