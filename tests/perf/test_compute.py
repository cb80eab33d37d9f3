"""The roofline of one chip: 100 TFLOP/s in bf16, 200 in fp8, 1 TB/s of memory."""

import numpy as np
import pytest

from samples import CHIP
from tianji.hardware.constants import Constants
from tianji.perf.compute import ChipRates, attention_time, matmul_time, vector_time
from tianji.workload import find_precision

BF16 = ChipRates.of(CHIP, find_precision("bf16"), Constants())
FP8 = ChipRates.of(CHIP, find_precision("fp8"), Constants())


def one(value: int) -> np.ndarray:
    return np.asarray(value)


def test_a_large_matmul_runs_at_the_peak() -> None:
    # 2 · 10,000³ FLOPs at 100 TFLOP/s
    assert matmul_time(BF16, one(10_000), one(10_000), one(10_000)) == pytest.approx(0.02)


def test_fp8_runs_at_its_own_peak_and_what_stays_high_does_not() -> None:
    assert matmul_time(FP8, one(10_000), one(10_000), one(10_000)) == pytest.approx(0.01)
    assert matmul_time(FP8, one(10_000), one(10_000), one(10_000), high=True) == pytest.approx(0.02)


def test_a_thin_matmul_waits_for_memory() -> None:
    # one row: reads a weight of 10,000 · 10,000 · 2 bytes and two vectors of 10,000 · 2 bytes
    assert matmul_time(BF16, one(1), one(10_000), one(10_000)) == pytest.approx((2e8 + 4e4) / 1e12)


def test_an_empty_matmul_takes_no_computing_time() -> None:
    assert matmul_time(BF16, one(0), one(100), one(100)) == pytest.approx(100 * 100 * 2 / 1e12)


def test_attention_runs_at_the_peak_of_the_high_dtype() -> None:
    assert attention_time(FP8, one(10**14), one(4096)) == pytest.approx(1.0)


def test_a_vector_op_is_its_traffic() -> None:
    assert vector_time(BF16, one(10**6), 2.0) == pytest.approx(2e-6)


def test_efficiencies_scale_the_rates() -> None:
    half = ChipRates.of(CHIP, find_precision("bf16"), Constants(matmul_efficiency=0.5, memory_efficiency=0.25))
    assert matmul_time(half, one(10_000), one(10_000), one(10_000)) == pytest.approx(0.04)
    assert vector_time(half, one(10**6), 2.0) == pytest.approx(8e-6)


def test_elementwise_work_may_reach_less_of_the_memory_rate_than_matmuls() -> None:
    plain = ChipRates.of(CHIP, find_precision("bf16"), Constants(memory_efficiency=0.5, vector_efficiency=0.1))
    assert plain.vector == pytest.approx(plain.memory / 10)
    assert vector_time(plain, one(10**6), 2.0) == pytest.approx(40e-6)
