"""The law of documents: what is written as YAML, TOML or JSON is read back by their own readers as the same values."""

import json
import tomllib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tianji.exporters.formats.arguments import Argument, Tree, Value
from tianji.exporters.formats.serialize import comment_lines, to_json, to_plain, to_toml, to_yaml

TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["yes", "null", "1e5", "a: b", "# no", "line\nnext\n", "  indented\nlines\n", "'", '"', "\\", "{{ x }}", "*a", "&a"]
)
NUMBERS = st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = TEXT | NUMBERS | st.booleans()


def trees(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Tree]:
    return st.dictionaries(TEXT.filter(bool), st.tuples(values, TEXT), max_size=4).map(
        lambda items: tuple(Argument(name, value, comment) for name, (value, comment) in items.items())
    )


LISTS = st.lists(SCALARS, max_size=3)
FLAT = trees(SCALARS | LISTS)
NESTED: st.SearchStrategy[Tree] = st.recursive(FLAT, lambda inner: trees(SCALARS | LISTS | inner), max_leaves=6)
WITH_ITEMS: st.SearchStrategy[Tree] = st.recursive(
    FLAT, lambda inner: trees(SCALARS | st.none() | inner | st.lists(inner, max_size=2)), max_leaves=6
)


@given(tree=WITH_ITEMS)
def test_yaml_is_read_back(tree: Tree) -> None:
    assert (yaml.safe_load(to_yaml(tree, comment_lines("head", "two\nlines"))) or {}) == to_plain(tree)


@given(tree=NESTED)
def test_toml_is_read_back(tree: Tree) -> None:
    assert tomllib.loads(to_toml(tree, comment_lines("head"))) == to_plain(tree)


@given(tree=WITH_ITEMS)
def test_json_is_read_back(tree: Tree) -> None:
    assert json.loads(to_json(tree)) == to_plain(tree)


@given(text=TEXT)
def test_a_comment_cannot_leave_its_lines(text: str) -> None:
    assert all(line.startswith("#") for line in comment_lines(text).splitlines())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_written(value: float) -> None:
    with pytest.raises(ValueError, match="not a number"):
        to_yaml((Argument("a", value),))
