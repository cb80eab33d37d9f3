"""The guide's measured runs do what it says."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from tianji.cli import main

GUIDE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text("utf-8")
SECTION = GUIDE.partition("\n## A measured run\n")[2].partition("\n## ")[0]
TABLE = re.compile(r"^`(\S+)`:\n\n```csv\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    ((name, text),) = TABLE.findall(SECTION)
    (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_of_the_guide_runs(folder: Path) -> None:
    lines = [line for block in COMMANDS.findall(SECTION) for line in block.splitlines()]
    shown = {}
    for line in lines:
        done = CliRunner().invoke(main, line.split()[1:], catch_exceptions=False)
        assert done.exit_code == 0, done.stderr
        shown[line] = done.stdout
    assert len(shown) == 5
    assert "no memory" in shown[lines[1]], "the skipped row is named"
    assert "neither step_time_s nor tokens_per_s_per_chip" in shown[lines[1]]
    assert (folder / "validation.html").exists()
    for ours in ("Known gaps", "vTrain", "bars"):
        assert ours not in "".join(shown.values())


def test_a_wrong_word_ends_with_row_and_column(folder: Path) -> None:
    path = folder / "runs.csv"
    path.write_text(path.read_text().replace("tp4,hgx-h100,8,megatron-lm,compiled", "tp4,hgx-h100,8,megatron-lm,fast"))
    done = CliRunner().invoke(main, ["validate", "runs.csv"], catch_exceptions=False)
    assert done.exit_code == 2 and not done.stdout
    assert "runs.csv, line 5 (tp4), column launch: expected eager" in done.stderr
    assert "'fast'" in done.stderr and "tianji validate --columns" in done.stderr


def test_a_misspelt_column_is_told(folder: Path) -> None:
    path = folder / "runs.csv"
    path.write_text(path.read_text().replace(",overlap_tp,", ",overlap_pt,", 1))
    done = CliRunner().invoke(main, ["validate", "runs.csv"], catch_exceptions=False)
    assert "overlap_pt" in done.stdout and "overlap_tp" in done.stdout
