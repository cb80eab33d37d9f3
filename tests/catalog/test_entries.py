"""Entries are found by name and by path, and the examples of the documentation are entries."""

import os
import re
from pathlib import Path

import pytest

from tianji.catalog import load_chip, load_pool
from tianji.catalog.entries import (
    DATA,
    ENVIRONMENT,
    CatalogEntry,
    find_entry,
    find_folders,
    is_path,
    list_entries,
    read_text,
)
from tianji.catalog.mixtures import is_mixture, load_mixture
from tianji.errors import FormatError, UnknownNameError

PAGE = Path(__file__).parents[2] / "docs" / "catalog.md"


@pytest.mark.parametrize(("name", "expected"), [("h20", False), ("h20.toml", True), ("my/h20", True), ("", False)])
def test_a_path_is_told_from_a_name(name: str, expected: bool) -> None:
    assert is_path(name) is expected


def test_a_name_leads_into_the_catalog_and_a_path_to_its_file() -> None:
    assert find_entry("chips", "h20") == CatalogEntry(DATA / "chips" / "h20.toml", shipped=True)
    assert find_entry("chips", "mine.toml", beside=Path("folder")) == CatalogEntry(
        Path("folder/mine.toml"), shipped=False
    )


def test_a_chip_in_the_place_of_a_pool_is_told() -> None:
    with pytest.raises(UnknownNameError, match="There is a chip of that name"):
        find_entry("pools", "ascend-950dt")


def test_folders_of_ones_own_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv(ENVIRONMENT, os.pathsep.join(["one", "", "two"]))
    shipped = (DATA / "pools", True)
    assert find_folders("pools") == [(Path("one/pools"), False), (Path("two/pools"), False), shipped]
    assert list_entries("pools") == tuple(sorted(path.stem for path in (DATA / "pools").iterdir()))


def test_an_entry_can_be_copied_and_changed(tmp_path: Path) -> None:
    copy = tmp_path / "copy.toml"
    copy.write_text(read_text("chips", "h20").replace('"148 TFLOP/s"', '"149 TFLOP/s"'))
    assert load_chip(copy).matrix_peak("bf16") > load_chip("h20").matrix_peak("bf16")
    with pytest.raises(FormatError, match="cannot be read"):
        read_text("chips", tmp_path / "none.toml")


def examples() -> list[str]:
    return [text for text in re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL) if "name =" in text]


def test_the_documentation_has_examples() -> None:
    assert len(examples()) == 5


@pytest.mark.parametrize("text", examples(), ids=lambda text: re.findall(r'name = "(.*?)"', text)[0])
def test_the_examples_of_the_documentation_load(tmp_path: Path, text: str) -> None:
    path = tmp_path / "example.toml"
    path.write_text(text)
    if is_mixture(path):
        assert load_mixture(path).name.startswith("my-")
        return
    is_pool = "[[tiers]]" in text or "[chip]" in text
    assert (load_pool(path) if is_pool else load_chip(path)).name.startswith("my-")
