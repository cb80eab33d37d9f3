"""Every figure of the catalog has a source that is listed and a confidence that is known."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tianji.hardware import CONFIDENCES
from tianji.units import DIMENSIONS

ROOT = Path(__file__).parents[2]
DATA = ROOT / "src" / "tianji" / "catalog" / "data"
ENTRIES = sorted(path for path in DATA.rglob("*.toml") if path.name != "sources.toml")

UNITS = {unit for units in DIMENSIONS.values() for unit in units if len(unit) > 1 or unit in "BWJs%"} - {""}
QUANTITY = re.compile(r"[\d.,_]+(?:e[+-]?\d+)?\s*(\S+)")
FIGURE_KEYS = {"value", "low", "high"}


def figures(table: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(table, list):
        for position, item in enumerate(table):
            yield from figures(item, f"{where}[{position}]")
    elif isinstance(table, dict):
        if FIGURE_KEYS & table.keys():
            yield where, table
        else:
            for key, item in table.items():
                yield from figures(item, f"{where}.{key}".lstrip("."))


def loose(table: Any, where: str = "") -> Iterator[str]:
    """Yield each text that is a quantity and stands outside a figure, so that it can have no source."""
    if isinstance(table, list):
        for item in table:
            yield from loose(item, where)
    elif isinstance(table, dict):
        if not FIGURE_KEYS & table.keys():
            for key, item in table.items():
                yield from loose(item, f"{where}.{key}".lstrip("."))
    elif isinstance(table, str) and (found := QUANTITY.fullmatch(table)) and found[1] in UNITS:
        yield f"{where} = {table!r}"


def listed_sources() -> dict[str, Any]:
    (page,) = DATA.rglob("sources.toml")
    return tomllib.loads(page.read_text())


def test_the_search_for_loose_quantities_catches() -> None:
    assert list(loose({"tiers": [{"bandwidth": "400 Gbit/s"}]})) == ["tiers.bandwidth = '400 Gbit/s'"]
    assert not list(loose({"memory": {"value": "80 GB"}, "title": "8 chips", "year": 2024}))


def test_there_are_entries_and_sources() -> None:
    assert ENTRIES
    assert listed_sources()


FIGURE_ENTRIES = [path for path in ENTRIES if path.parent.name != "calibrations"]
"""A calibration's constants carry evidence in place of a source; its reader refuses one without."""


@pytest.mark.parametrize("path", FIGURE_ENTRIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_figure_has_a_listed_source_and_a_known_confidence(path: Path) -> None:
    known, entry = listed_sources(), tomllib.loads(path.read_text())
    for where, figure in figures(entry):
        keys = figure.get("source")
        assert keys, f"{where} has no source"
        for key in keys if isinstance(keys, list) else re.split(r"[,;]\s*", keys):
            assert key in known, f"{where}: source {key!r} is not in sources.toml"
        assert figure.get("confidence") in CONFIDENCES, f"{where}: confidence {figure.get('confidence')!r}"


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_quantity_stands_without_its_source(path: Path) -> None:
    assert not list(loose(tomllib.loads(path.read_text())))


def test_every_source_says_where_it_is() -> None:
    for key, source in listed_sources().items():
        assert source.get("title"), f"{key} has no title"
        assert source.get("url"), f"{key} has no url"
