"""What is written: JSON that any program reads, progress only for a person who waits."""

import json

import pytest

from tianji.cli.output import make_console, print_json, watch


def test_json_is_plain_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "天机"})
    text = capsys.readouterr().out
    assert text.isascii()
    assert json.loads(text) == {"name": "天机"}


def test_a_number_that_is_not_finite_never_reaches_a_program() -> None:
    with pytest.raises(ValueError, match="JSON"):
        print_json({"mfu": float("nan")})


def test_no_progress_where_nobody_waits(capsys: pytest.CaptureFixture[str]) -> None:
    with watch("Counting") as tell:
        tell(10**6)
    assert capsys.readouterr() == ("", "")


def test_a_pipe_gets_no_colour(capsys: pytest.CaptureFixture[str]) -> None:
    make_console().print("[bold red]text[/]")
    assert capsys.readouterr().out == "text\n"
