"""Records to plain values and back, checked by their annotations."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from tianji.errors import FormatError
from tianji.parallel.records import decode, encode, shown


@dataclass(frozen=True)
class Inner:
    share: float


@dataclass(frozen=True)
class Outer:
    count: int
    name: str = "x"
    inner: Inner | None = None
    several: tuple[int, ...] = ()
    pair: tuple[str, float] = ("a", 1.0)
    table: Mapping[str, float] | None = None
    is_on: bool = False


BOUNDS = {"Inner.share": (0.0, 1.0), "Outer": (0.0, 100.0)}
FULL = Outer(3, "y", Inner(0.5), (1, 2), ("b", 2.0), {"k": 4.0}, True)


def test_there_and_back() -> None:
    assert decode(Outer, encode(FULL), "it", BOUNDS) == FULL
    assert decode(Outer, {"count": 1}, "it", BOUNDS) == Outer(1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "it: expected an object with the keys of a outer, got a list"),
        ({}, "it: the key 'count' is missing"),
        ({"cuont": 1}, "it: unknown key 'cuont'; did you mean 'count'?"),
        ({"count": 1.0}, "it.count: expected a whole number, got 1.0"),
        ({"count": True}, "it.count: expected a whole number, got true"),
        ({"count": 101}, "it.count: expected a whole number from 0 to 100, got 101"),
        ({"count": 10**60}, "got a number of 200 bits"),
        ({"count": 1, "name": 2}, "it.name: expected a text, got 2"),
        ({"count": 1, "inner": {"share": 2}}, "it.inner.share: expected a number from 0 to 1, got 2"),
        ({"count": 1, "several": [1, "2"]}, "it.several[1]: expected a whole number"),
        ({"count": 1, "pair": ["a"]}, "it.pair: expected 2 values, got 1"),
        ({"count": 1, "table": {"k": None}}, "it.table.k: expected a number, got null"),
        ({"count": 1, "is_on": 1}, "it.is_on: expected true or false, got 1"),
    ],
)
def test_the_first_thing_that_is_wrong(data: object, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        decode(Outer, data, "it", BOUNDS)
    assert message in str(caught.value)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), np.zeros(2), object()])
def test_what_a_file_cannot_hold(value: object) -> None:
    with pytest.raises(FormatError, match="plain numbers and texts"):
        encode({"key": value})


def test_shown_is_short() -> None:
    assert len(shown("x" * 1000)) == 60
    assert (shown({}), shown([1]), shown(None), shown(False)) == ("an object", "a list", "null", "false")
