"""The environment of MindSpore is asked what it holds: programs that answer as a Python with other contents would."""

import json
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from tianji.backends.mindspore.environment import FOLDER, RELEASE, VARIABLE, find_python
from tianji.errors import RunError

OURS = {"tianji": version("tianji"), "mindspore": f"{RELEASE}.0"}


def make_python(path: Path, answer: dict[str, str], code: int = 0) -> Path:
    """A program that prints an answer to whatever it is asked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\necho 'it is broken' >&2\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_the_variable_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = make_python(tmp_path / "python", OURS)
    monkeypatch.setenv(VARIABLE, str(python))
    assert find_python() == python


def test_else_it_is_a_folder_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    python = make_python(tmp_path / FOLDER / "bin" / "python", OURS)
    assert find_python() == python


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (OURS | {"mindspore": "2.9.1"}, 0, rf"expected MindSpore {RELEASE}, got 2\.9\.1"),
        ({"tianji": OURS["tianji"]}, 0, f"expected MindSpore {RELEASE}, got none"),
        (OURS | {"tianji": "0.0.1"}, 0, r"as here, got 0\.0\.1"),
        ({"mindspore": OURS["mindspore"]}, 0, "as here, got none"),
        (OURS, 3, r"cannot be run \(it is broken\)"),
    ],
)
def test_what_it_lacks_is_said_with_the_cure(
    answer: dict[str, str], code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(make_python(tmp_path / "python", answer, code)))
    with pytest.raises(RunError, match=words) as caught:
        find_python()
    assert "bash scripts/setup mindspore" in str(caught.value)


def test_the_question_is_one_that_a_python_answers() -> None:
    from sys import executable

    from tianji.backends.mindspore.environment import _QUESTION

    done = subprocess.run([executable, "-c", _QUESTION], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["tianji"] == OURS["tianji"]
