"""Whole tables: the shipped ones, a user's own, and bad ones."""

import csv
from pathlib import Path

import pytest

from tianji.catalog import load_calibration
from tianji.errors import FormatError
from tianji.validation import find_tables, read_runs, validate

OWN = {
    "id": "mine", "chip": "h100-sxm", "n_chips": "8", "layers": "32", "hidden": "4096", "ffn": "14336", "heads": "32",
    "kv_heads": "8", "head_dim": "128", "vocab": "128256", "seq_len": "8192", "global_batch_size": "64",
    "micro_batch_size": "1", "tp": "2", "pp": "1", "fsdp_zero": "ZeRO-1", "precision": "bf16", "recompute": "none",
    "step_time_s": "12.5", "memory_gb_per_chip": "60",
}  # fmt: skip


def write(path: Path, *rows: dict[str, str]) -> Path:
    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, fieldnames=list(OWN))
        out.writeheader()
        out.writerows(rows)
    return path


def test_the_shipped_tables_are_those_of_measured_runs() -> None:
    assert [path.name for path in find_tables()] == ["training.csv", "training_2026_11.csv", "training_single_node.csv"]


def test_every_shipped_row_is_predicted_or_skipped_with_a_reason() -> None:
    lines = sum(len(list(csv.DictReader(path.read_text("utf-8").splitlines()))) for path in find_tables())
    verdict = validate()
    assert len(verdict.predictions) + len(verdict.skipped) == lines
    assert all(skip.reason for skip in verdict.skipped)
    assert all(p.step_time for p in verdict.predictions)
    assert all(p.memory for p in verdict.predictions)


def test_a_table_of_ones_own_needs_neither_split_nor_quality(tmp_path: Path) -> None:
    verdict = validate([write(tmp_path / "own.csv", OWN)])
    (one,) = verdict.predictions
    assert one.row.pool.chip.name == "h100-sxm"
    assert one.error is not None
    assert one.memory_error is not None


def test_a_row_that_lacks_something_is_counted_not_lost(tmp_path: Path) -> None:
    rows = [OWN, OWN | {"id": "no recompute", "recompute": ""}, OWN | {"id": "odd chip", "chip": "h1000"}]
    verdict = validate([write(tmp_path / "own.csv", *rows)])
    assert [p.row.id for p in verdict.predictions] == ["mine"]
    assert len(verdict.reasons()) == 2
    assert any("recompute" in reason for reason in verdict.reasons())


def test_pure_physics_is_faster_than_what_was_measured(tmp_path: Path) -> None:
    verdict = validate([write(tmp_path / "own.csv", OWN)], load_calibration("none"))
    assert verdict.calibration == "none"
    assert (verdict.predictions[0].error or 0.0) < 0.0


def test_the_split_and_the_quality_are_kept() -> None:
    rows, skipped = read_runs(split="check", quality="A")
    assert {(r.split, r.quality) for r in (*rows, *skipped)} == {("check", "A")}


def test_a_word_that_no_row_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="split = chekc"):
        read_runs([write(tmp_path / "own.csv", OWN)], split="chekc")


def test_a_file_that_is_no_table_says_what_was_expected(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(FormatError, match="names the columns"):
        validate([path])


@pytest.mark.parametrize("value", ["1e300", "1e-300", "0", "-1", "inf", "nan"])
def test_a_measured_time_that_cannot_be_is_said(value: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"none of 1 rows can be predicted:\n  1 x .*step_time_s"):
        validate([write(tmp_path / "own.csv", OWN | {"step_time_s": value})])
