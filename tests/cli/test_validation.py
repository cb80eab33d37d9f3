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


def write_table(folder: Path, *changes: dict[str, str]) -> str:
    row = {
        "id": "a", "pool": "hgx-h100", "n_chips": "8", "arch_key": "llama-3.1-8b", "seq_len": "8192",
        "global_batch_size": "8", "micro_batch_size": "1", "tp": "8", "pp": "1", "precision": "bf16", "recompute": "full",
        "step_time_s": "2.5",
    }  # fmt: skip
    lines = [row, *({**row, "id": f"row-{i}", **change} for i, change in enumerate(changes))]
    (folder / "runs.csv").write_text("\n".join([",".join(row), *(",".join(line.values()) for line in lines)]) + "\n")
    return str(folder / "runs.csv")


def test_a_model_of_the_catalog_is_an_architecture(tmp_path: Path) -> None:
    done = run(write_table(tmp_path), "--json")
    assert [row["status"] for row in json.loads(done.stdout)["rows"]] == ["predicted"]


def test_a_table_without_a_usable_row_is_an_error_with_the_reasons(tmp_path: Path) -> None:
    table = Path(write_table(tmp_path, {"arch_key": "llama-3.1-9b"}, {"arch_key": "llama-3.1-9b"}))
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], *lines[2:]]) + "\n")
    done = run(str(table))
    assert (done.exit_code, done.stdout) == (2, "")
    assert "none of 2 rows can be predicted" in done.stderr
    assert "2 x unknown architecture 'llama-3.1-9b'; did you mean" in done.stderr
    assert "(first: row-0)" in done.stderr


def test_a_row_that_is_called_out_of_memory_is_named_with_its_memory(tmp_path: Path) -> None:
    done = run(write_table(tmp_path, {"recompute": "none", "seq_len": "131072"}), "--html", str(tmp_path / "p.html"))
    called_out = done.stdout.split("called out of memory\n")[1]
    assert "row-0" in called_out
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("a ") and "%" in line]
    assert re.search(r"\d+\.\d", line.split("%")[1]), "the predicted memory of a row that states none"


@pytest.mark.parametrize("more", [["runs.csv"], ["--split", "check"], ["--rows"]])
def test_the_list_of_columns_takes_nothing_beside_it(more: list[str]) -> None:
    done = run("--columns", *more)
    assert done.exit_code == 2
    assert more[0] in done.stderr


def test_every_needed_column_is_named_and_the_count_is_that_of_the_list() -> None:
    text = " ".join(run("--columns").stdout.split())
    every, some = text.split("Needed in every row: ")[1].split("; the sizes")[0], text.split("Needed in some: ")[1]
    for column in json.loads(run("--columns", "--json").stdout)["columns"]:
        if column["empty"] == "needed":
            assert column["name"] in every.split(", ")
        elif (column["empty"] or "").startswith("needed "):
            assert f"{column['name']} (" in some
    assert f"needed in every row {len(every.split(', '))} " in text
    assert "llama3_8b" in text
