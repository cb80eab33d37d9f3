"""The keys of every JSON document are those of its type, and docs/json.md names them all."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import pytest

from tianji.parallel.strategy import FIELDS

from ..commands import COMMANDS, OF_REAL_PROCESSES, run
from .conformance import mismatches, ranges

GENERATOR = Path(__file__).parents[3] / "docs" / "generators" / "json_documents.py"
SPEC = importlib.util.spec_from_file_location("json_documents", GENERATOR)
assert SPEC is not None and SPEC.loader is not None
generator = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(generator)


class Sample(TypedDict):
    a: float
    b: list[str] | None


@pytest.fixture(scope="module", params=COMMANDS)
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run(request.param, "--json").stdout)
    assert answer["document"] == request.param
    return answer


def test_every_document_has_the_keys_of_its_type(document: dict[str, Any]) -> None:
    assert not list(mismatches(document, generator.document_types()[document["document"]]))


def test_a_range_is_low_nominal_high_and_nothing_else(document: dict[str, Any]) -> None:
    spans = list(ranges(document))
    for where, span in spans:
        assert list(span) == ["low", "nominal", "high"], where
        assert span["low"] <= span["nominal"] <= span["high"], where


def test_a_strategy_has_the_fields_of_a_strategy_and_nothing_else(document: dict[str, Any]) -> None:
    for strategy in strategies(document):
        assert strategy.keys() == set(FIELDS)


def strategies(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every strategy of a document that is not null."""
    if isinstance(value, dict):
        if isinstance(value.get("strategy"), dict):
            yield value["strategy"]
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        yield from strategies(inner)


def test_the_page_of_keys_is_that_of_the_types() -> None:
    assert generator.PAGE.read_text(encoding="utf-8") == generator.write_page(), f"run {GENERATOR.name}"


def test_every_typed_document_is_asked_for_here() -> None:
    assert set(generator.document_types()) == {*COMMANDS, *OF_REAL_PROCESSES}


@pytest.mark.parametrize(
    ("value", "count"),
    [({"a": 1, "b": None}, 0), ({"a": 1, "b": ["x"]}, 0), ({"a": "1", "b": None}, 1), ({"a": 1.0}, 1),
     ({"a": 1.0, "b": None, "c": 2}, 1), ({"a": True, "b": [1]}, 2), ([], 1)],
)  # fmt: skip
def test_a_wrong_document_is_noticed(value: object, count: int) -> None:
    assert len(list(mismatches(value, Sample))) == count
