"""Progress shows only for a person who waits."""

import pytest

from tianji.api.answer import make_console
from tianji.api.progress import show_progress


def test_no_progress_where_nobody_waits(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress("Counting") as progress:
        progress(10**6)
    assert capsys.readouterr() == ("", "")


def test_a_pipe_gets_no_colour(capsys: pytest.CaptureFixture[str]) -> None:
    make_console().print("[bold red]text[/]")
    assert capsys.readouterr().out == "text\n"
