"""What a chip says of itself, and what it refuses to guess."""

from dataclasses import replace

import pytest

from samples import CHIP, figure
from tianji.errors import UnknownFigureError
from tianji.units import GB, TB, TERA


def test_figures_of_a_chip() -> None:
    assert CHIP.matrix_peak("bf16") == 100 * TERA
    assert CHIP.memory_size() == 100 * GB
    assert CHIP.memory_rate() == 1 * TB


def test_bf16_and_fp16_stand_in_for_each_other() -> None:
    assert CHIP.matrix_peak("fp16") == 100 * TERA
    assert replace(CHIP, peak={"fp16": figure(7.0)}).matrix_peak("bf16") == 7.0


@pytest.mark.parametrize("dtype", ["int8", "tf32"])
def test_no_other_dtype_stands_in(dtype: str) -> None:
    with pytest.raises(UnknownFigureError, match=f"round has no published dense {dtype} peak"):
        CHIP.matrix_peak(dtype)


def test_an_unknown_memory_is_named() -> None:
    with pytest.raises(UnknownFigureError, match="memory size"):
        replace(CHIP, memory=None).memory_size()
    with pytest.raises(UnknownFigureError, match="memory bandwidth"):
        replace(CHIP, memory_bandwidth=None).memory_rate()
