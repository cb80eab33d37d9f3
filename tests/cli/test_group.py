"""The group: commands are listed without being imported, and mistakes end in one line."""

import subprocess
import sys
from importlib import import_module

import click
import pytest
from click.testing import CliRunner

from tianji.cli import group, main
from tianji.errors import FormatError


def test_every_entry_leads_to_a_command_of_that_name() -> None:
    for name, (place, summary) in group.COMMANDS.items():
        module, attribute = place.split(":")
        command = getattr(import_module(module), attribute)
        assert command.name == name
        assert summary.endswith(".")


def test_help_names_all_and_imports_none() -> None:
    code = "import sys; from tianji.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(f"\n  {name} " in done.stdout for name in group.COMMANDS)
    assert "tianji.cli.planning" not in done.stdout
    assert "numpy" not in done.stdout


@pytest.mark.parametrize("name", group.COMMANDS)
def test_the_help_of_each_command_keeps_its_examples_on_lines_of_their_own(name: str) -> None:
    text = CliRunner().invoke(main, [name, "--help"]).stdout
    assert "\\b" not in text
    assert "\n  Examples:\n    tianji " in text


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [(FormatError("bad figure"), 2, "tianji: bad figure\n"), (KeyboardInterrupt(), 130, "tianji: interrupted\n")],
)
def test_what_is_raised_becomes_a_line_and_a_code(
    raised: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    def broken() -> None:
        raise raised

    monkeypatch.setattr(group.LazyGroup, "get_command", lambda self, context, name: broken)
    done = CliRunner().invoke(main, ["plan"])
    assert (done.exit_code, done.stderr, done.stdout) == (code, said, "")


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(group.LazyGroup, "get_command", lambda self, context, name: broken)
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(main, ["plan"], catch_exceptions=False)


@pytest.mark.parametrize("size", ["9" * 5000, "-1", "x", "\u00b2", ""])
def test_an_absurd_width_of_the_terminal_is_forgotten(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", size)
    done = CliRunner().invoke(main, ["--help"])
    assert (done.exit_code, "Commands" in done.stdout) == (0, True)
