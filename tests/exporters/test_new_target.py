"""The guide's export target works: a copy of the source gets its file and its line, and the new target plans and exports."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "docs" / "extending.md").read_text().partition("\n## An export target\n")[2].partition("\n## ")[0]
FILE = re.compile(r"^`(\S+)`:\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DIFF = re.compile(r"^`(\S+)`:\n\n```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    code = "import tianji.cli; tianji.cli.main()"
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with the guide's file and the guide's one line."""
    folder = tmp_path_factory.mktemp("extended")
    shutil.copytree(ROOT / "src" / "tianji", folder / "src" / "tianji", ignore=shutil.ignore_patterns("__pycache__"))
    ((name, text),) = FILE.findall(SECTION)
    (folder / name).write_text(text)
    ((name, diff),) = DIFF.findall(SECTION)
    lines = diff.splitlines(keepends=True)
    assert [line[0] for line in lines].count("+") == 1
    before, after = ("".join(line[1:] for line in lines if line[0] in kinds) for kinds in (" -", " +"))
    whole = (folder / name).read_text()
    assert whole.count(before) == 1
    (folder / name).write_text(whole.replace(before, after))
    return folder


def test_the_guides_commands_plan_and_export(extended: Path) -> None:
    (commands,) = COMMANDS.findall(SECTION)
    for line in commands.splitlines():
        program, *words = line.split()
        done = run(extended, *words)
        assert (program, done.returncode) == ("tianji", 0), done.stderr
    written = yaml.safe_load((extended / "files" / "lark.yaml").read_text())
    assert written["tensor_parallel"] * written["data_parallel"] == 16
    assert (written["global_batch"], written["sequence_length"]) == (64, 4096)
    assert len((extended / "files" / "ranks.tsv").read_text().splitlines()) == 17
    assert "YAML file for Lark" in run(extended, "export").stdout


def test_the_new_target_refuses_with_its_sentence(extended: Path) -> None:
    plan = ("plan", "llama-3.1-8b", "hgx-h100", "--chips", "16", "--batch", "64", "--fix", "pp=2", "--out", "pp.json")
    assert run(extended, *plan).returncode == 0
    done = run(extended, "export", "pp.json", "--to", "lark")
    assert done.returncode == 2
    assert "pp=2: it has no pipeline (take --fix pp=1)" in done.stderr


def test_the_guides_file_is_as_clean_as_ours(extended: Path) -> None:
    ((name, _),) = FILE.findall(SECTION)
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), name],
        cwd=extended, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
