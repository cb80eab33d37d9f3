"""What is written: JSON that any program reads."""

import json

import pytest

from tianji.cli.output import print_json


def test_json_is_plain_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "天机"})
    text = capsys.readouterr().out
    assert text.isascii()
    assert json.loads(text) == {"name": "天机"}


def test_a_number_that_is_not_finite_never_reaches_a_program() -> None:
    with pytest.raises(ValueError, match="JSON"):
        print_json({"mfu": float("nan")})
