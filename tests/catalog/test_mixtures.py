"""Mixtures as files: what is read, and what is refused."""

from pathlib import Path

import pytest

from tianji.catalog.mixtures import is_mixture, list_mixtures, load_mixture
from tianji.errors import FormatError, UnknownNameError

GOOD = """
name = "mine"
title = "Mine"
[[parts]]
pool = "hgx-a100"
chips = 16
[[parts]]
pool = "hgx-h100"
chips = 8
[joint]
[joint.bandwidth]
value = "200 Gbit/s"
source = "a network plan"
confidence = "user"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", list_mixtures())
def test_every_shipped_mixture_loads(name: str) -> None:
    found = load_mixture(name)
    assert found.name == name
    assert len({part.chip.name for part in found.parts}) == len(found.parts) >= 2
    assert is_mixture(name)


def test_a_users_file_is_read(tmp_path: Path) -> None:
    found = load_mixture(write(tmp_path, GOOD))
    assert [part.chips for part in found.parts] == [16, 8]
    assert found.chips == 24
    assert found.joint.rate("mine") == 25e9


def test_a_pool_is_no_mixture(tmp_path: Path) -> None:
    assert not is_mixture("hgx-h100")
    assert not is_mixture(str(tmp_path / "absent.toml"))
    assert is_mixture(str(write(tmp_path, GOOD)))


def test_the_pool_of_a_part_may_be_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('like = "hgx-h100"\nname = "own"\n')
    found = load_mixture(write(tmp_path, GOOD.replace('"hgx-h100"', '"own.toml"')))
    assert found.parts[1].name == "own"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('[[parts]]\npool = "hgx-h100"\nchips = 8\n', "", "expected 2 to 4 tables"),
        ('"hgx-h100"', '"hgx-h1000"', "did you mean hgx-h100"),
        ("chips = 8", "chips = 0", "expected 1 to"),
        ("chips = 8", "chps = 8", "is 'chps' a slip for it"),
        ('value = "200 Gbit/s"', 'value = "200"', "has no unit"),
        ("[joint]\n[joint.bandwidth]", "[joined]\n[joined.bandwidth]", "expected a table [joint]"),
        ('"200 Gbit/s"', '"-200 Gbit/s"', "above zero"),
        ('title = "Mine"', 'title = "Mine"\ncolour = 1', "unknown key"),
    ],
)
def test_bad_mixtures_say_what_is_wrong(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises((FormatError, UnknownNameError), match=message.replace("[", r"\[")):
        load_mixture(write(tmp_path, GOOD.replace(old, new)))
