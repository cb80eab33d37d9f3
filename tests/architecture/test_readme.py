"""The README's first two blocks are one command each, and continuous integration runs the second."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import tianji
from tianji.cli import main

ROOT = Path(__file__).parents[2]


CONFIG = ROOT / "src/tianji/catalog/data/models/llama-3.1-8b/config.json"


def blocks(kind: str = r"\w*") -> list[list[str]]:
    found = re.findall(rf"^```{kind}\n(.*?)^```", (ROOT / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    return [block.splitlines() for block in found]


def commands() -> list[str]:
    lines = [line for block in blocks("bash")[2:] for line in block]
    return [line.partition("#")[0].strip() for line in lines if line.startswith("tianji ")]


def test_the_first_two_blocks_are_one_line_each() -> None:
    assert [len(block) for block in blocks()[:2]] == [1, 1]


def test_the_two_commands_name_scripts_of_the_repository() -> None:
    for (line,) in blocks()[:2]:
        program, script = line.split()
        assert program == "bash"
        assert os.access(ROOT / script, os.X_OK)


def test_continuous_integration_runs_the_second_command() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert blocks()[1][0] in lines
    assert lines[-1] == blocks()[1][0], "something runs after the tests and could hide their outcome"


def test_what_the_first_command_plans_is_a_config_json_in_the_catalog() -> None:
    text = (ROOT / blocks()[0][0].split()[1]).read_text()
    config = re.search(r"^model=(\S+)$", text, flags=re.MULTILINE)
    assert config is not None
    assert config[1].endswith("config.json")
    assert (ROOT / config[1]).is_file()


def test_the_readme_shows_commands() -> None:
    assert {line.split()[1] for line in commands()} >= {"browse", "plan", "predict"}


@pytest.mark.slow
@pytest.mark.parametrize("line", commands())
def test_every_command_shown_works(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(CONFIG, tmp_path / "config.json")
    done = CliRunner().invoke(main, shlex.split(line)[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    assert done.stdout


FIGURES = ("days", "tokens_per_s_per_chip", "goodput", "energy_per_token")
"""Measures of the table on the front."""


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_table_of_the_front_is_what_the_command_says(page: str) -> None:
    answer = tianji.replace("llama-3.1-405b", "1024xhgx-h100", "atlas-950-superpod", tokens="15T").document
    table = re.search(r"^\| \|.*?\n\n", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    assert table is not None
    head, _, *rows = table[0].strip().splitlines()
    assert [int(n.replace(",", "")) for n in re.findall(r"[\d,]+(?= ×)", head)] == [1024, answer["chips"]]
    for row, measure in zip(rows, FIGURES, strict=True):
        for side, cell in zip(("first", "other"), row.split("|")[2:4], strict=True):
            shown = [float(n.replace(",", "")) for n in re.findall(r"[\d,.]+", cell)]
            value = answer[side]["measures"][measure]["value"]
            assert shown == pytest.approx([value["nominal"], value["low"], value["high"]], rel=0.005), measure


@pytest.mark.slow
def test_the_python_example_runs_and_prints_plans(tmp_path: Path) -> None:
    (block,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(block)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "Best plans" in done.stdout
    assert done.stderr == ""
