"""TOML read fast is TOML as tomllib reads it: every shipped file, files made up, and files that are broken."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tianji
from tianji.plain_toml import _nest, _split, parse_toml

SHIPPED = sorted(Path(tianji.__file__).parent.rglob("*.toml"))


def test_every_shipped_file_is_plain_and_reads_alike() -> None:
    for file in SHIPPED:
        text = file.read_text(encoding="utf-8")
        assert repr(_nest(_split(text))) == repr(tomllib.loads(text)), file


def _outcome(text: str, read: object) -> str:
    assert callable(read)
    try:
        return repr(read(text))
    except ValueError as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "a = 1",
        "a = 1\na = 2",
        "a = 1 b = 2",
        "a = 1, b = 2",
        "a = {b = 1, b = 2}",
        'a = {"b": 1}',
        "a = null",
        "a = 01",
        "a = +1",
        "a = 1_000",
        "a = 1.",
        "a = inf",
        "a = -0",
        "a = -0.0",
        "a = 1e3",
        "a = 1979-05-27",
        "a = [1, 2,]",
        "a = [\n1,\n2,\n]",
        "a = [,]",
        "a = {b = 1,}",
        "a = {b = 1\n}",
        "a.b = 1",
        '"a" = 1',
        "'a' = 1",
        '"a"."b" = 1',
        '"""a""" = 1',
        '["""a"""]',
        'a = """b"""',
        'a = """\nb \\\n   c"""',
        'a = """b"c"""',
        "a = 'b\\c'",
        "a = '''b'''",
        'a = "b\\n"',
        'a = "',
        'a = "b" "c"',
        'a = "b" # c',
        '# "\na = 1',
        "a = 1 # 'b",
        "[a]\n[a]",
        "[a.b]\n[a]\nc = 1",
        "[a.b]\n[a]\nb = 1",
        "a = {}\n[a.b]",
        "a = []\n[[a]]",
        "[[a]]\nb = 1\n[[a]]\nb = 2\n[a.c]\nd = 1",
        "[a]\n[[a]]",
        "[[a]]\n[a]",
        "[[a.b]]\n[a]",
        "[a.b]\n[[a]]",
        "[[a]\n]",
        "[1]",
        "[[1]]",
        '["a"]',
        '[["a"]]',
        '["a", "b"]',
        "[true]\nb = 1",
        "[[true,]]",
        "a = [[1], [2, [3]]]",
        "a = [{b = [1]}, {c = {d = 2}}]",
        "a = 1[2]",
        "a = [1]2",
        "[1] = 2",
        'a = {"b" = [1], c = true}',
        "a =\n1",
        "a = 1\r\nb = 2",
        "a = 1\x00",
        "a\x01 = 1",
        "= 1",
        "a = [1]\n\n\n  b = 2\n",
        'a = "\x7f"',
        "a = 1.5.5",
        "a = truefalse",
        "[a] b = 1",
        "[a]]",
        " [ a ] ",
        'a = "\t"',
        "a = " + "[" * 12 + "]" * 12,
    ],
)
def test_any_text_gives_what_tomllib_gives(text: str) -> None:
    assert _outcome(text, parse_toml) == _outcome(text, tomllib.loads)


PIECES = [
    "a",
    "b",
    '"c d"',
    "'e'",
    "=",
    " = ",
    ".",
    ",",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "1",
    "-0",
    "2.5",
    "true",
    '""',
    '"',
    "\n",
    "\n",
    " ",
    "#",
    "\\",
    '"""',
    "a = 1\n",
    "[a]\n",
    "[[b]]\n",
    "[a.b]\n",
    "b = { a = 1 }\n",
    "a = [1, 2]\n",
]


@given(st.lists(st.sampled_from(PIECES), max_size=14))
def test_any_sequence_of_pieces_gives_what_tomllib_gives(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert _outcome(text, parse_toml) == _outcome(text, tomllib.loads)
