"""Patterns of layers: what is written reads back layer by layer, and nothing is evaluated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.errors import FormatError
from tianji.exporters.formats.layer_patterns import format_moe_pattern, read_pattern


@given(data=st.data(), layers=st.integers(1, 200), step=st.integers(1, 8))
def test_a_pattern_is_read_back(data: st.DataObject, layers: int, step: int) -> None:
    leading = data.draw(st.integers(0, layers))
    kinds = read_pattern(format_moe_pattern(layers, leading, step), "script")
    rest = (layers - leading) % step
    period = [0] * (step - 1) + [1]
    assert kinds == [0] * leading + period * ((layers - leading) // step) + [0] * rest


@pytest.mark.parametrize(
    "text",
    ["", "[2]", "[0]*", "[0]*9999999", "([0]", "[0]+", "__import__('os')", "[0]*3;[1]", "(" * 60 + "[0]" + ")" * 60],
)
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="script: "):
        read_pattern(text, "script")
