"""What is written: JSON that any program reads."""

import json

import pytest

from tianji.api.answer import Answer


def test_json_is_plain_ascii() -> None:
    text = Answer(None, "", lambda: {"name": "天机"}).to_json()
    assert text.isascii()
    assert json.loads(text) == {"name": "天机"}


def test_a_number_that_is_not_finite_never_reaches_a_program() -> None:
    with pytest.raises(ValueError, match="JSON"):
        Answer(None, "", lambda: {"mfu": float("nan")}).to_json()
