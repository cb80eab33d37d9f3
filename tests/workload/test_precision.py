"""Recipes: bytes of a parameter, other names, other moments."""

import pytest

from tianji.errors import UnknownNameError
from tianji.workload.precision import PRECISIONS, find_precision


@pytest.mark.parametrize(("name", "expected"), [("bf16", 18), ("fp16", 18), ("fp8", 18), ("fp4", 18), ("fp32", 16)])
def test_bytes_that_a_parameter_takes(name: str, expected: float) -> None:
    """Mixed precision: 2 of weights, 4 of gradients, 12 of optimizer. In fp32 the weights are the master copy: 4, 4, 8."""
    p = find_precision(name)
    assert p.weight_size + p.gradient_size + p.optimizer_size == expected


@pytest.mark.parametrize(
    ("moments", "name", "expected"),
    [("fp32", "bf16", 12), ("bf16", "bf16", 8), ("fp8", "bf16", 6), ("bf16", "fp32", 4)],
)
def test_moments_of_another_dtype(moments: str, name: str, expected: float) -> None:
    """A master copy of 4 bytes (in fp32 none) and two moments."""
    assert find_precision(name, moments).optimizer_size == expected


def test_narrow_recipes_cast_their_inputs_and_keep_bf16_elsewhere() -> None:
    assert {name for name, p in PRECISIONS.items() if p.quantized} == {"fp8", "mxfp8", "fp4"}
    assert all(p.high == "bf16" for p in PRECISIONS.values() if p.quantized)


def test_other_names_and_unknown_ones() -> None:
    assert find_precision("HiF8") == find_precision("fp8")
    assert find_precision("nvfp4").linear == "fp4"
    with pytest.raises(UnknownNameError, match="did you mean fp8"):
        find_precision("pf8")
    with pytest.raises(UnknownNameError, match="optimizer dtype"):
        find_precision("bf16", "int4")
