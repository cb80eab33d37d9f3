"""`tianji validate`: one JSON document, tables, a page without network, and clear ends for bad tables."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tianji.cli import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["validate", *arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def document() -> dict[str, object]:
    found: dict[str, object] = json.loads(
        run("--split", "check", "--quality", "A", "--group-by", "chip,class", "--json").stdout
    )
    return found


KEYS = {
    "id", "status", "measured_step_time_s", "predicted_step_time_s", "low_s", "high_s", "error", "measured_memory_gb",
    "predicted_memory_gb",
}  # fmt: skip


def test_each_row_has_all_its_numbers_or_a_reason(document: dict[str, list[dict[str, object]]]) -> None:
    for row in document["rows"]:
        assert row.keys() >= KEYS
        assert row["status"] in ("predicted", "skipped")
        if row["status"] == "skipped":
            assert row["reason"]
            assert row["predicted_step_time_s"] is None


def test_the_summary_counts_what_the_rows_hold(document: dict[str, dict[str, int]]) -> None:
    rows, summary = document["rows"], document["summary"]
    assert summary["rows"] == len(rows) == summary["predicted"] + summary["skipped"]
    assert document["summary"]["groups"].keys() == {"chip", "class"}  # type: ignore[attr-defined]


def test_tables_say_the_same(document: dict[str, dict[str, int]]) -> None:
    text = run("--split", "check", "--quality", "A").stdout
    assert f"{document['summary']['predicted']:,}" in text
    assert "Spearman" in text


def test_the_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert run("--split", "check", "--html", str(path)).exit_code == 0
    page = path.read_text()
    assert "<svg" in page
    assert "prefers-color-scheme" in page
    assert not re.search(r"""(src|href)=|url\((?!#)|@import""", page)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing.csv",), "cannot be read"),
        (("--group-by", "chpi"), "chip"),
        (("--split", "chekc"), "chekc"),
        (("--calibration", "defalt"), "default"),
    ],
)
def test_bad_input_ends_with_a_message(arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not done.stdout
