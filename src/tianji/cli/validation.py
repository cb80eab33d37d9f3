"""``tianji validate``: measured runs beside their predictions."""

from __future__ import annotations

from pathlib import Path

import click

from tianji.cli.options import calibration_option, json_option
from tianji.cli.output import make_console, print_json
from tianji.errors import FormatError

GROUPED_BY = ("chip",)


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
@click.option("--rows", "every_row", is_flag=True, help="Show every row, not only the worst.")
@click.option("--html", metavar="FILE", help="Also write one self-contained page with a figure and every row.")
@json_option
def validate_command(
    tables: tuple[str, ...], calibration: str, split: str, quality: str, group_by: str | None, every_row: bool,
    html: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Predict measured runs and say how far off the predictions are.

    TABLE.csv has the columns of the published measurements that come with Tianji (docs/accuracy.md); a row that cannot be
    predicted is skipped, and the reasons are counted. Without a table the shipped ones are used. Layouts of one job are
    ranked, too: regret is the measured time of the layout that Tianji would pick over the best measured time.

    \b
    Examples:
      tianji validate --split check --quality A
      tianji validate my-runs.csv --group-by chip,feature --html report.html
      tianji validate --calibration none --json
    """  # noqa: D301
    from tianji.catalog import load_calibration
    from tianji.validation import validate

    groups = read_groups(group_by)
    verdict = validate(tables, load_calibration(calibration), split=split, quality=quality)
    if html:
        from tianji.report.accuracy_page import verdict_page

        write_page(html, verdict_page(verdict, groups))
    if as_json:
        from tianji.report.accuracy_documents import verdict_document

        print_json(verdict_document(verdict, groups))
        return
    from tianji.report.accuracy_tables import print_verdict

    print_verdict(make_console(), verdict, groups, every_row=every_row)


def read_groups(text: str | None) -> tuple[str, ...]:
    """Return the names of groupings that a text joins with commas.

    Raises UnknownNameError for a word that rows cannot be grouped by.
    """
    from tianji.errors import UnknownNameError
    from tianji.validation import GROUPS

    names = GROUPED_BY if text is None else tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in GROUPS:
            raise UnknownNameError("group", name, GROUPS)
    return names


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
