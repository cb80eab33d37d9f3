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
    assert not re.search(r"""src=|href="(?!#)|url\((?!#)|@import""", page)


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


def test_a_report_speaks_of_ones_own_table_alone(tmp_path: Path) -> None:
    head = "id,source,split,chip,n_chips,layers,hidden,ffn,heads,kv_heads,head_dim,vocab,seq_len,global_batch_size,"
    head += "micro_batch_size,tp,pp,fsdp_zero,precision,recompute,step_time_s,memory_gb_per_chip"
    sizes = "h100-sxm,8,32,4096,14336,32,8,128,128256,8192,64"
    lines = [
        f"run {i},{source},,{sizes},{b},{tp},1,ZeRO-1,bf16,full,{time},{40 + i}"
        for i, (source, b, tp, time) in enumerate(
            [("one", 1, 1, 11.0), ("one", 1, 2, 12.0), ("one", 2, 4, 13.5), ("two", 1, 8, 16.0), ("two", 2, 2, 11.8)]
        )
    ]
    table, page = tmp_path / "runs.csv", tmp_path / "page.md"
    table.write_text("\n".join([head, *lines]) + "\n")
    assert run(str(table), "--report", str(page)).exit_code == 0
    text = page.read_text()
    for chapter in ("Step time", "Ranking", "Memory"):
        assert f"## {chapter}" in text
    for ours in ("bars", "peers", "Known gaps", "vTrain", "Sources never seen"):
        assert ours not in text, "what is said of the shipped tables is not said of a user's own"
    assert (tmp_path / "page.svg").read_text().startswith("<svg")


def test_a_report_is_markdown(tmp_path: Path) -> None:
    done = run("--report", str(tmp_path / "page.txt"))
    assert done.exit_code == 2
    assert ".md" in done.stderr
