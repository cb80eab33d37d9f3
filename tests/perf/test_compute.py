"""The roofline of one chip: 100 TFLOP/s in bf16, 200 in fp8, 1 TB/s of memory."""

from dataclasses import replace

import numpy as np
import pytest

from samples import CHIP
from tianji.hardware.constants import Constants
from tianji.perf.compute import LATENT_BACKWARD, ChipRates, attention_time, expert_time, matmul_time, vector_time
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
    forward, backward = attention_time(FP8, one(10**14), one(4096))
    assert forward == pytest.approx(1.0) and backward == pytest.approx(2.5)


def test_attention_backward_has_a_rate_and_a_half_length_of_its_own() -> None:
    given = Constants(attention_efficiency=0.5, attention_half_length=1000.0, attention_backward=0.8)
    machine = ChipRates.of(CHIP, find_precision("bf16"), given)
    forward, backward = attention_time(machine, one(10**14), one(1000))
    assert forward == pytest.approx(4.0) and backward == pytest.approx(2.5 * 2.0 / 0.8)
    _, latent = attention_time(machine, one(10**14), one(1000), True)
    assert latent == pytest.approx(backward / LATENT_BACKWARD)


def test_a_short_sum_and_a_small_output_each_take_half() -> None:
    given = Constants(matmul_half_size=1000.0, matmul_half_depth=500.0)
    machine = ChipRates.of(CHIP, find_precision("bf16"), given)
    whole = 2.0 * 1000 * 500 * 1000 / 1e14
    assert matmul_time(machine, one(1000), one(500), one(1000)) == pytest.approx(4.0 * whole)


def test_fp4_has_constants_of_its_own() -> None:
    given = Constants(narrow_efficiency=0.5, fp4_efficiency=0.25, quantize_size=3.0, fp4_quantize_size=5.0)
    chip = replace(CHIP, peak={**CHIP.peak, "fp4": CHIP.peak["fp8"]})
    fp8, fp4 = (ChipRates.of(chip, find_precision(name), given) for name in ("fp8", "nvfp4"))
    assert fp4.linear.peak == pytest.approx(fp8.linear.peak / 2) and (fp8.quantize_size, fp4.quantize_size) == (
        3.0,
        5.0,
    )


def test_a_group_of_experts_pays_the_half_size_once_and_whole_blocks_of_rows() -> None:
    rates = Constants(matmul_half_size=1000.0)
    machine = ChipRates.of(CHIP, find_precision("bf16"), rates)
    shape = (one(4), one(256), one(4096), one(4096))
    alone, shared = (expert_time(machine, *shape, replace(rates, expert_half_share=s)) for s in (1.0, 0.25))
    grouped = expert_time(machine, *shape, replace(rates, expert_grouping=1.0))
    assert alone == pytest.approx(4 * matmul_time(machine, *shape[1:])) and shared == pytest.approx(grouped)
    odd = expert_time(machine, one(4), one(129), one(4096), one(4096), replace(rates, expert_grouping=1.0))
    assert odd == pytest.approx(grouped)


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
