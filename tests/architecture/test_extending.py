"""The extending guide works: a copy of the source is extended exactly as each section says, and its commands run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tianji"
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*)\n((?:(?!^## ).*\n?)*)", PAGE, re.MULTILINE))
BLOCK = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^```(\w+)\n((?:(?!^```).*\n)*)^```$", re.MULTILINE)

pytestmark = pytest.mark.slow


def copy_source(folder: Path) -> None:
    """Copy the source with what is compiled of it, which stays valid: the times of files are copied, too."""
    shutil.copytree(SOURCE, folder / "src" / "tianji")


def change(text: str, diff: str, where: str) -> str:
    """Return a text after a change: lines with a minus or a space are there once, those with a plus or a space come instead."""
    lines = diff.splitlines(keepends=True)
    before, after = ("".join(line[1:] for line in lines if line[0] in kinds) for kinds in ("- ", "+ "))
    assert text.count(before) == 1, f"{where} does not have once:\n{before}"
    return text.replace(before, after)


def follow(section: str, folder: Path) -> list[str]:
    """Do what a section says in a folder, and return its commands."""
    commands: list[str] = []
    for name, kind, body in BLOCK.findall(SECTIONS[section]):
        if kind == "sh":
            commands += body.splitlines()
        elif kind == "diff":
            path = folder / name
            path.write_text(change(path.read_text(encoding="utf-8"), body, name), encoding="utf-8")
        elif name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(body, encoding="utf-8")
    return commands


def run(command: str, folder: Path) -> str:
    words = shlex.split(command)
    assert words[0] == "tianji"
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    code = "import sys, tianji.cli; sys.argv[0] = 'tianji'; tianji.cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *words[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_works_as_it_stands(section: str, tmp_path: Path) -> None:
    copy_source(tmp_path)
    commands = follow(section, tmp_path)
    assert commands, "a section ends in a command"
    for command in commands:
        assert run(command, tmp_path)


def step(command: str, folder: Path) -> dict[str, Any]:
    (plan,) = json.loads(run(command + " --json", folder))["plans"]
    found: dict[str, Any] = plan
    return found


def test_the_constant_costs_what_the_file_says(tmp_path: Path) -> None:
    copy_source(tmp_path)
    (command,) = follow("A constant", tmp_path)
    without = step(command.partition("--calibration")[0] + "--calibration none", tmp_path)
    assert step(command, tmp_path)["step_time_s"] == pytest.approx(without["step_time_s"] + 0.5, rel=1e-9)


def test_the_schedule_hides_sends_and_holds_more(tmp_path: Path) -> None:
    copy_source(tmp_path)
    command = follow("A schedule", tmp_path)[0]
    eager, plain = (step(command.replace("eager-1f1b", name), tmp_path) for name in ("eager-1f1b", "1f1b"))
    assert eager["breakdown_s"]["pp_comm"] <= plain["breakdown_s"]["pp_comm"]
    assert eager["memory_bytes"]["activations"] > plain["memory_bytes"]["activations"]
