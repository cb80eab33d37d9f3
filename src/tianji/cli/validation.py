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
    help="Also write the page on accuracy: every bar, group, peer and known gap, with a figure FILE.svg beside it.",
)  # fmt: skip
@workers_option
@answering
def validate_command(tables: tuple[str, ...], report: str | None, **options: Any) -> Answer[Any]:
    r"""Predict measured runs and say how far off the predictions are.

    TABLE.csv has the columns of the published measurements that come with Tianji (docs/accuracy.md); a row that cannot be
    predicted is skipped, and the reasons are counted. Without a table the shipped ones are used. Layouts of one job are
    ranked, too: regret is the measured time of the layout that Tianji would pick over the best measured time.

    \b
    Examples:
      tianji validate --split check --quality A
      tianji validate my-runs.csv --group-by chip,feature --html report.html
      tianji validate --calibration none --json
    """
    from tianji.api.validating import validate

    answer = validate(*tables, **options)
    if report:
        write_report(report, answer.result, tables, options["split"], options["quality"])
    return answer


def write_report(path: str, verdict: Verdict, tables: tuple[str, ...], split: str, quality: str) -> None:
    """Write the page on accuracy and its figure; the fits without each source take some minutes."""
    from tianji.api.progress import show_progress
    from tianji.hardware.calibration import Calibration
    from tianji.report.accuracy_chapters import write_chapters
    from tianji.report.documents.validation import prediction_row
    from tianji.report.render.markup import to_xml
    from tianji.report.render.svg.drawing import draw_chart
    from tianji.report.views.validation import scatter_chart
    from tianji.validation import read_runs, validate
    from tianji.validation.acceptance import judge
    from tianji.validation.expected_gains import promise_tuned
    from tianji.validation.held_out import hold_out_sources
    from tianji.validation.rankings import rank_published
    from tianji.validation.scaling import scale_measured, scale_published

    if not path.endswith(".md"):
        raise FormatError(f"--report {path}: expected the name of a Markdown file, like accuracy.md")
    figure = Path(path).with_suffix(".svg")
    rows = [prediction_row(p) for p in verdict.predictions]
    write_page(str(figure), to_xml(draw_chart(scatter_chart(rows), alone=True)))
    bare = validate(tables, Calibration(), split=split, quality=quality)
    jobs, series = rank_published(), [*scale_published(), *scale_measured(verdict.predictions)]
    with show_progress("Leaving out each source") as progress:
        runs, _ = read_runs(tables)
        held = hold_out_sources(runs, progress)
    promises = promise_tuned(verdict.predictions)
    bars = judge(verdict.predictions, jobs, series, held, promises)
    write_page(path, write_chapters(verdict, bare, bars, jobs, series, held, promises, figure.name))


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
