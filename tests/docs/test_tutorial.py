"""The tutorial: each cell prints what stands below it, and each command works."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shown import load_script, timeless
from tianji.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")


def test_every_cell_prints_what_stands_below_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script, names = load_script(), dict[str, Any]()
    cells = script.CELL.findall(PAGE)
    assert len(cells) > 10
    assert len(cells) == PAGE.count("```python")
    for code, shown in cells:
        printed, expected = timeless(script.run_cell(code, names)), timeless(shown)
        # Lines cannot be counted: how long the search took decides where its line is wrapped.
        start = expected.removesuffix(script.CUT)
        assert printed[: len(start)] == start, code
        assert expected.endswith(script.CUT) or printed == expected, code
    assert (tmp_path / "plan.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (tmp_path / "launch" / "pretrain_megatron.sh").is_file()


def test_every_command_beside_a_cell_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^```bash\n(tianji .*)\n```$", PAGE, flags=re.MULTILINE)
    assert len(lines) > 10
    for line in lines:
        done = CliRunner().invoke(main, shlex.split(line)[1:], catch_exceptions=False)
        assert (done.exit_code, bool(done.stdout)) == (0, True), f"{line}: {done.stderr}"
