"""A whole step under pure physics: 100 TFLOP/s, memory and links that are never in the way unless said."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from samples import CHIP, DENSE, SPARSE, figure, flat, job, pool
from tianji.errors import UnknownFigureError
from tianji.hardware.constants import Constants
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.perf.step import KINDS, estimate, microbatches
from tianji.units import GB, TERA
from tianji.workload import Model
from tianji.workload.layers import step_flops

FREE = Constants(memory_efficiency=1e9, scale_up_efficiency=1e9, scale_out_efficiency=1e9)
"""Memory and links a thousand million times faster than the datasheet: only matrix units take time."""


def terms(strategy: Strategy, model: Model = DENSE, constants: Constants = FREE, **more: Any) -> dict[str, float]:
    cost = estimate(job(model, **more), flat(max(strategy.chips, 1)), constants, Grid.of(strategy))
    return {kind: float(np.ravel(value)[0]) for kind, value in cost.terms.items()}


def step(strategy: Strategy, model: Model = DENSE, constants: Constants = FREE, **more: Any) -> float:
    return sum(terms(strategy, model, constants, **more).values())


def test_the_kinds_are_complete() -> None:
    assert set(terms(Strategy())) == {*KINDS} - {"offload"}
    assert set(terms(Strategy(offload_activations=1))) == set(KINDS)


def test_one_chip_takes_its_flops_over_its_peak() -> None:
    # fused attention computes 2.5 times forward going back, where the model's count has 2: half a forward more
    scores = 64 * 1024 * DENSE.num_layers * 2 * 512 * 8 * 128
    expected = (step_flops(DENSE, 1024, 64 * 1024) + scores / 2) / (100 * TERA)
    assert step(Strategy()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "strategy",
    [Strategy(dp=8), Strategy(tp=4, dp=2), Strategy(cp=8), Strategy(dp=8, zero=3), Strategy(dp=4, cp=2, zero=2)],
)
def test_eight_chips_take_an_eighth_where_nothing_else_costs(strategy: Strategy) -> None:
    assert step(strategy) == pytest.approx(step(Strategy()) / 8, rel=1e-6)


@pytest.mark.parametrize("m", [8, 16, 64])
@pytest.mark.parametrize("p", [2, 4, 8])
def test_the_ideal_bubble(p: int, m: int) -> None:
    headless = replace(DENSE, vocab_size=1)
    found = terms(Strategy(pp=p), headless, batch=m)
    assert found["bubble"] / sum(found.values()) == pytest.approx((p - 1) / (m + p - 1), rel=2e-3)
    interleaved = terms(Strategy(pp=p, vpp=8 // p, schedule="interleaved"), headless, batch=m) if p < 8 else None
    if interleaved:
        v = 8 // p
        share = (p - 1) / (v * m + p - 1)
        assert interleaved["bubble"] / sum(interleaved.values()) == pytest.approx(share, rel=2e-3)


def test_micro_batches() -> None:
    g = Grid.of(Strategy(dp=4, micro_batch_size=4))
    assert microbatches(job(batch=64), g).tolist() == [4]


def test_data_parallel_traffic_by_hand() -> None:
    # ZeRO-1 on 8 flat chips of 100 GB/s, nothing hidden: reduce 4 bytes and gather 2 bytes of each parameter, 7/8 of it
    slow_links = Constants(memory_efficiency=1e9)
    found = terms(Strategy(dp=8, overlap_dp=False), constants=slow_links)
    expected = DENSE.num_parameters * (4 + 2) * 7 / 8 / (100 * GB)
    assert found["dp_comm"] == pytest.approx(expected, rel=1e-6)
    everything = terms(Strategy(dp=8, overlap_dp=False, zero=0), constants=slow_links)
    assert everything["dp_comm"] == pytest.approx(DENSE.num_parameters * 8 * 7 / 8 / (100 * GB), rel=1e-6)


def test_weights_gathered_at_once_are_exposed() -> None:
    # all is hidden but the gather of 2 bytes of each parameter, which waits for the optimizer and holds up the forward pass
    perfect = Constants(memory_efficiency=1e9, overlap_efficiency=1.0, matmul_efficiency=1e-6)
    plain = {"dp": 8, "zero": 1}
    assert terms(Strategy(**plain), constants=perfect)["dp_comm"] == pytest.approx(0.0, abs=1e-9)
    found = terms(Strategy(**plain, weight_gather="exposed"), constants=perfect)["dp_comm"]
    assert found == pytest.approx(DENSE.num_parameters * 2 * 7 / 8 / (100 * GB), rel=1e-6)


def test_a_broadcast_from_each_rank_pays_the_latency_as_often_and_sums_whole_gradients() -> None:
    # 8 flat chips: a gather of all weights in one bucket takes 6 steps, 8 broadcasts take 48. Gradients of 4 bytes are copied
    # to buckets, summed on every rank (7/8 of them and 6 steps once more), and copied back: four passes.
    late = Constants(scale_up_latency=1e-3, scale_out_latency=1e-3)
    plain, each = (
        terms(Strategy(dp=8, overlap_dp=False, weight_gather=word), constants=late)["dp_comm"]
        for word in ("exposed", "broadcasts")
    )
    size = DENSE.num_parameters * 4
    more = 6e-3 + size * 7 / 8 / (100 * GB) + 4 * size / pool(8).chip.memory_bandwidth.value
    assert each - plain == pytest.approx((8 - 1) * 6e-3 + more, rel=1e-6)


@pytest.mark.parametrize(("zero", "passes_over"), [(0, 7), (1, 7), (2, 8), (3, 8)])
def test_gradients_of_each_micro_batch_are_put_together_in_memory(zero: int, passes_over: int) -> None:
    # 8 micro-batches of a replica: the first needs no addition, but is handed over where each is reduced
    cut = Strategy(dp=8, zero=zero)
    with_passes, without = (terms(cut, constants=Constants(gradient_passes=n))["optimizer"] for n in (3.0, 0.0))
    seconds = passes_over * 3 * DENSE.num_parameters * 4 / pool(8).chip.memory_bandwidth.value
    assert with_passes - without == pytest.approx(seconds, rel=1e-6)


def test_fully_sharded_training_gathers_for_every_micro_batch() -> None:
    # forward: gather 2 bytes; backward: gather 2 bytes and reduce 4 bytes; 8 micro-batches on each of 8 chips
    found = terms(Strategy(dp=8, zero=3, overlap_dp=False), constants=Constants(memory_efficiency=1e9))
    expected = 8 * DENSE.num_parameters * (2 + 2 + 4) * 7 / 8 / (100 * GB)
    assert found["dp_comm"] == pytest.approx(expected, rel=1e-6)


def test_sharded_gradients_under_a_pipeline_are_reduced_for_every_micro_batch() -> None:
    # Nothing hidden: level 1 reduces 4 bytes and gathers 2 of each parameter once, level 2 reduces m times.
    cut = Strategy(pp=2, dp=4, overlap_dp=False)
    once, each = (
        terms(replace(cut, zero=level), batch=32, constants=Constants(memory_efficiency=1e9))["dp_comm"]
        for level in (1, 2)
    )
    assert each / once == pytest.approx((4 * 8 + 2) / 6, rel=1e-6)


def test_the_optimizer_reads_and_writes_its_state() -> None:
    # state of 12 bytes twice, gradients of 4, weights of 2, at 1 TB/s; over 8 ranks with ZeRO-1
    alone, sharded = (terms(Strategy(dp=8, zero=z), constants=Constants()) for z in (0, 1))
    assert alone["optimizer"] == pytest.approx(DENSE.num_parameters * (24 + 4 + 2) / 1e12, rel=1e-6)
    assert sharded["optimizer"] == pytest.approx(alone["optimizer"] / 8)


def test_an_offloaded_optimizer_needs_a_host_link() -> None:
    away = Strategy(dp=8, offload_optimizer=True)
    assert terms(away)["optimizer"] > terms(Strategy(dp=8))["optimizer"]
    unknown = replace(CHIP, host_bandwidth=None)
    with pytest.raises(UnknownFigureError, match="host bandwidth"):
        estimate(job(), flat(8, chip=unknown), FREE, Grid.of(away))


def test_straggling_grows_with_the_chips() -> None:
    few, many = (terms(Strategy(dp=d), constants=Constants(straggle=0.01))["waiting"] * d for d in (2, 64))
    assert many > few > 0
    assert terms(Strategy(), constants=Constants(straggle=0.01))["waiting"] == 0


def test_slower_software_slows_all() -> None:
    strategy = Strategy(tp=2, pp=2, dp=2)
    assert step(strategy, constants=Constants(software=1.5)) == pytest.approx(
        1.5 * step(strategy, constants=Constants())
    )


def test_an_unknown_figure_of_a_tier_that_is_used_is_named() -> None:
    blind = pool(64)
    tiers = (blind.tiers[0], replace(blind.tiers[1], bandwidth=None))
    with pytest.raises(UnknownFigureError, match="network"):
        estimate(job(), replace(blind, tiers=tiers), FREE, Grid.of(Strategy(dp=64)))
    inside = replace(blind, tiers=tiers, chips=8)
    assert estimate(job(), inside, FREE, Grid.of(Strategy(dp=8))).step_time > 0


def test_a_narrow_dtype_is_faster_by_its_peak_alone() -> None:
    both = [terms(Strategy(), SPARSE, precision=p) for p in ("bf16", "fp8")]
    assert both[1]["matmul"] < both[0]["matmul"] < 2 * both[1]["matmul"], "router and logits stay in bf16"
    assert both[0]["attention"] == both[1]["attention"]


def test_a_chip_without_the_dtype_is_refused() -> None:
    plain = replace(CHIP, peak={"bf16": figure(100 * TERA)})
    with pytest.raises(UnknownFigureError, match="dense fp8 peak"):
        estimate(job(precision="fp8"), flat(8, chip=plain), FREE, Grid.of(Strategy(dp=8)))


def test_a_chip_that_is_its_own_host_pays_for_every_launch() -> None:
    ahead, own = (terms(Strategy(), constants=Constants(op_overhead=1e-6, op_blocking=b)) for b in (0.0, 1.0))
    assert ahead["overhead"] == 0
    assert own["overhead"] > 0


def test_the_optimizer_has_an_efficiency_of_its_own() -> None:
    half = terms(Strategy(), constants=Constants(optimizer_efficiency=0.5))["optimizer"]
    assert half == pytest.approx(2 * terms(Strategy(), constants=Constants())["optimizer"])
    assert half > 0
