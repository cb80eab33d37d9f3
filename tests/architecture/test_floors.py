"""Imports point down only, and each room has a floor."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tianji"
RUN = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def floors() -> list[str]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(c for c in contracts if c["type"] == "layers")["layers"]
    return [room.strip(" ()") for layer in layers for room in layer.split("|")]


def rooms() -> set[str]:
    files = {p.stem for p in SOURCE.glob("*.py")}
    folders = {p.name for p in SOURCE.iterdir() if p.is_dir() and any(p.rglob("*.py"))}
    return (files | folders) - {"__init__"}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", RUN, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_imports_point_down_only() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_room_has_exactly_one_floor() -> None:
    named = floors()
    assert len(named) == len(set(named))
    assert rooms() <= set(named), f"give these a floor in pyproject.toml: {sorted(rooms() - set(named))}"


@pytest.mark.parametrize(
    ("room", "line"),
    [("hardware", "import tianji.workload"), ("units", "import tianji.hardware"), ("cellar", "")],
    ids=["sibling", "upward", "unnamed"],
)
def test_the_contract_catches(room: str, line: str, tmp_path: Path) -> None:
    package = tmp_path / "src" / "tianji"
    for name in {name for name in floors() if name in rooms()} | {room}:
        (package / name).mkdir(parents=True, exist_ok=True)
        (package / name / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    settings = (ROOT / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(settings[settings.index("[tool.importlinter]") :])
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, 'src'); {RUN}", "--no-cache"]

    def outcome() -> int:
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).returncode

    if line:
        assert outcome() == 0
    (package / room / "__init__.py").write_text(line)
    assert outcome() == 1
