"""The order of an operation is read as what anybody may have changed: any damage ends in a message."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import flat, job
from tianji.backends.options import RunOptions
from tianji.errors import TianjiError
from tianji.operation.operating import ORDER, Order
from tianji.operation.settings import Settings
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import Strategy


def order() -> Order:
    return Order(
        Plan(job(), flat(4), Strategy(dp=4)), Settings(steps=20), RunOptions(steps=20), mtbf=3600.0, save_time=2.0
    )


def test_an_order_is_read_as_it_was_written(tmp_path: Path) -> None:
    order().write(tmp_path / ORDER)
    assert Order.read(tmp_path) == order()


DAMAGES: list[tuple[str, Any, str]] = [
    ("plan", None, "plan: expected a plan"),
    ("plan", [], "plan: expected a plan"),
    ("plan", "x", "plan: expected a plan"),
    ("engine", ["ray"], "engine: expected a text"),
    ("mtbf", "6 h", "mtbf: expected a number"),
    ("mtbf", -1, "mtbf: expected a number from 0"),
    ("settings", {"steps": "many"}, "settings.steps: expected a whole number"),
    ("settings", None, "settings: expected an object"),
    ("options", {"port": None}, "options.port: expected a whole number"),
    ("options", {"port": {}}, "options.port: expected a whole number"),
    ("options", {"data": -1}, "options.data: expected a text"),
    ("surplus", 1, "unknown key"),
]


@pytest.mark.parametrize(("key", "value", "said"), DAMAGES)
def test_a_damaged_order_says_where(tmp_path: Path, key: str, value: object, said: str) -> None:
    order().write(tmp_path / ORDER)
    document = json.loads((tmp_path / ORDER).read_text())
    (tmp_path / ORDER).write_text(json.dumps(document | {key: value}))
    with pytest.raises(TianjiError, match=said):
        Order.read(tmp_path)


@pytest.mark.parametrize("text", ["null", "7", "[]", "", "{", "[" * 50_000, '{"plan": NaN}'])
def test_what_is_no_object_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / ORDER).write_text(text)
    with pytest.raises(TianjiError, match=ORDER):
        Order.read(tmp_path)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_damage_of_any_value_is_more_than_a_message(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("order")
    order().write(folder / ORDER)
    document = json.loads((folder / ORDER).read_text())
    node: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        inner = node[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        node = inner
    node[key] = data.draw(
        st.sampled_from([None, True, -1, 0, 10**30, 1e300, 0.5, "", "x", [], {}, [[]], [None], {"a": 1}])
    )
    (folder / ORDER).write_text(json.dumps(document))
    try:
        Order.read(folder)
    except TianjiError as error:
        assert str(error)
