"""What lives in the host's memory: against the sweep that its shares come from, by hand, and by laws."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import CHIP, figure, flat, job
from tianji.catalog import load_pool, make_job
from tianji.errors import IllegalStrategyError, UnknownFigureError
from tianji.hardware.constants import Constants
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.parallel.plan import Plan
from tianji.perf.offload import LINK_SHARE, UPDATE_SHARE
from tianji.perf.pipeline_stages import every_stage
from tianji.perf.step import estimate, estimate_host
from tianji.prediction import predict
from tianji.units import GB
from tianji.workload import Job

FREE = Constants()


def one(values: np.ndarray) -> float:
    return float(np.ravel(values)[0])


def optimizer(**fields: object) -> float:
    strategy = Strategy(dp=8, **fields)  # type: ignore[arg-type]
    return one(estimate(job(), flat(8), FREE, Grid.of(strategy)).terms["optimizer"])


# Qwen3-30B-A3B on 16 H100, TP2 PP2 EP4, 0 to 100 % of the optimizer offloaded (Megatron-Bridge).
SWEEP = {0.25: (1.871, 43.4), 0.5: (2.484, 39.6), 0.75: (3.187, 35.6), 1.0: (4.189, 32.0)}
NOTHING, OVERLAPPED = (0.996, 47.2), 3.877


def published(share: float, overlap: bool = False) -> tuple[float, float]:
    """Return seconds and GB that a share of the optimizer on the host adds to a step and takes from a chip."""
    pool = load_pool("hgx-h100", 16)
    task = make_job("qwen3-30b-a3b", 4096, 8)
    kept, away = (
        predict(Plan(task, pool, Strategy(tp=2, pp=2, ep=4, dp=4, offload_optimizer=f, offload_overlap=overlap)))
        for f in (0.0, share)
    )
    return away.step_time.nominal - kept.step_time.nominal, (kept.memory_total - away.memory_total) / 1e9


@pytest.mark.parametrize("share", SWEEP)
def test_the_published_sweep_comes_out(share: float) -> None:
    seconds, memory = published(share)
    assert seconds == pytest.approx(SWEEP[share][0] - NOTHING[0], rel=0.13)
    assert memory == pytest.approx(NOTHING[1] - SWEEP[share][1], rel=0.02)


def test_overlapped_copies_save_what_was_measured() -> None:
    saved = published(1.0)[0] - published(1.0, overlap=True)[0]
    assert saved == pytest.approx(SWEEP[1.0][0] - OVERLAPPED, rel=0.1)


# --- time -------------------------------------------------------------------------------------------------------
def test_by_hand() -> None:
    parameters = job().model.num_parameters / 8
    chip = optimizer()
    host = parameters * (28 / (UPDATE_SHARE * 80 * GB) + 8 / (LINK_SHARE * 50 * GB))
    assert optimizer(offload_optimizer=1) == pytest.approx(host, rel=0.01)
    assert optimizer(offload_optimizer=0.5) == pytest.approx((host + chip) / 2, rel=0.01)
    swapped = parameters * 12 / (LINK_SHARE * 50 * GB)
    assert optimizer(offload_optimizer=1, offload_update="chip") == pytest.approx(max(swapped, chip), rel=0.01)


@settings(max_examples=25)
@given(low=st.floats(0, 1), high=st.floats(0, 1), overlap=st.booleans(), update=st.sampled_from(("host", "chip")))
def test_more_on_the_host_is_slower_and_smaller(low: float, high: float, overlap: bool, update: str) -> None:
    low, high = sorted((low, high))
    few, many = (
        estimate(job(), flat(8), FREE, Grid.of(Strategy(dp=8, offload_optimizer=f, offload_overlap=overlap,
                                                        offload_update=update)))
        for f in (low, high)
    )  # fmt: skip
    assert one(many.terms["optimizer"]) >= one(few.terms["optimizer"]) * (1 - 1e-9)
    assert one(many.memory_total) <= one(few.memory_total) * (1 + 1e-9)


@settings(max_examples=25)
@given(
    share=st.floats(0.01, 1), recompute=st.sampled_from(("none", "selective", "full")), pp=st.sampled_from((1, 2, 4))
)
def test_activations_are_on_the_chip_or_on_its_host(share: float, recompute: str, pp: int) -> None:
    kept = Grid.of(Strategy(pp=pp, dp=2, recompute=recompute))
    away = Grid.of(Strategy(pp=pp, dp=2, recompute=recompute, offload_activations=share))
    here, there = (estimate(job(), flat(8), FREE, g) for g in (kept, away))
    assert not here.host and one(there.host_total) > 0
    assert one(there.memory_total) <= one(here.memory_total)
    assert one(there.step_time) >= one(here.step_time)
    for stage, hosted, whole in zip(there.memory, there.host, here.memory, strict=True):
        assert one(stage["activations"] + hosted["activations"]) >= one(whole["activations"]) * (1 - 1e-9)


def test_copies_hide_behind_the_passes_of_a_long_step() -> None:
    away = Grid.of(Strategy(dp=8, offload_activations=1))
    fast = flat(8, chip=replace(CHIP, host_bandwidth=figure(100_000 * GB)))
    slow = flat(8, chip=replace(CHIP, host_bandwidth=figure(0.1 * GB)))
    assert one(estimate(job(), fast, FREE, away).terms["offload"]) == 0
    assert one(estimate(job(), slow, FREE, away).terms["offload"]) > 0
    assert "offload" not in estimate(job(), slow, FREE, Grid.of(Strategy(dp=8))).terms


def test_sharded_weights_on_the_host_leave_the_gathered_layers() -> None:
    away = estimate(job(), flat(8), FREE, Grid.of(Strategy(dp=8, zero=3, offload_weights=True)))
    (stage,) = away.memory
    assert one(stage["gradients"]) == one(stage["optimizer"]) == 0 < one(stage["weights"])
    assert one(away.host[0]["optimizer"]) == pytest.approx(job().model.num_parameters / 8 * (12 + 4 + 2), rel=0.01)


# --- limits and figures -----------------------------------------------------------------------------------------
def test_the_hosts_memory_is_a_limit() -> None:
    plan = Plan(job(), flat(8), Strategy(dp=8, offload_optimizer=1))
    result = predict(plan)
    assert result.fits and result.host_limit is None
    need = result.host_total
    small, large = (
        predict(replace(plan, pool=flat(8, chip=replace(CHIP, host_memory=figure(need * f))))) for f in (0.9, 1.1)
    )
    assert not small.fits and large.fits


def test_every_stage_has_its_host(task: Job = job()) -> None:  # noqa: B008
    g = Grid.of(Strategy(pp=4, dp=2, offload_activations=1))
    hosted = [one(parts["activations"]) for parts in estimate_host(task, g, every_stage(task.model, Strategy(pp=4)))]
    assert hosted == sorted(hosted, reverse=True), "the first stage has the most micro-batches in flight"


@pytest.mark.parametrize(
    ("missing", "fields"),
    [
        ("host_bandwidth", {"offload_optimizer": 1}),
        ("host_bandwidth", {"offload_activations": 0.5}),
        ("host_memory_bandwidth", {"offload_optimizer": 1}),
    ],
)
def test_a_missing_figure_is_named_by_its_key(missing: str, fields: dict[str, float]) -> None:
    pool = flat(8, chip=replace(CHIP, **{missing: None}))
    with pytest.raises(UnknownFigureError, match=rf"\[{missing}\]"):
        estimate(job(), pool, FREE, Grid.of(Strategy(dp=8, **fields)))  # type: ignore[arg-type]


def test_only_sharded_weights_go_to_the_host() -> None:
    with pytest.raises(IllegalStrategyError, match="only sharded weights"):
        predict(Plan(job(), flat(8), Strategy(dp=8, offload_weights=True)))
