"""A pipeline over segments of equal chips is the pool's; unlike chips and slow joints take what they must."""

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import DENSE, SPARSE, figure, job, pool, tier
from tianji.catalog import load_model, load_pool
from tianji.catalog.calibrations import bounds_of
from tianji.hardware import Tier
from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid
from tianji.parallel.strategy import Strategy
from tianji.perf.context import Terms, total
from tianji.perf.pipeline_stages import every_stage
from tianji.perf.segments import Segment
from tianji.perf.stages import Stage
from tianji.perf.step import estimate, estimate_segments
from tianji.units import GB
from tianji.workload import Job, Model, find_precision

MODEL = load_model("llama-3.1-8b")
JOB = Job(MODEL, 4096, 64, find_precision("bf16"))
STRATEGY = Strategy(tp=2, pp=4, dp=4, overlap_tp=False)
EQUAL = load_pool("hgx-h100", chips=32)
CONSTANTS = Constants(matmul_efficiency=0.7, scale_up_efficiency=0.7, scale_out_efficiency=0.7)


def joint(rate: float) -> Tier:
    return Tier("joint", "clos", 0, figure(rate), None, kind="scale-out")


def first(value: object) -> float:
    return float(np.ravel(value)[0])


def segments_of(
    task: Job, stages: list[Stage], first_half: Constants, second_half: Constants, chips: int
) -> list[Segment]:
    half = len(stages) // 2
    part = replace(EQUAL, chips=chips // 2)
    return [Segment.of(task, part, first_half, stages[:half]), Segment.of(task, part, second_half, stages[half:])]


def mixture(rate: float, second: Constants = CONSTANTS, first_half: Constants = CONSTANTS) -> float:
    segments = segments_of(JOB, every_stage(MODEL, STRATEGY), first_half, second, 32)
    return first(total(estimate_segments(JOB, segments, joint(rate), Grid.of(STRATEGY))[0]))


# --- equal chips --------------------------------------------------------------------------------------------------
def drawn(name: str) -> st.SearchStrategy[float]:
    low, high = bounds_of(name)
    return st.floats(low, high if low else min(high, 1.0))


CONSTANT_SETS = st.builds(Constants, **{f.name: drawn(f.name) for f in fields(Constants)})
NETWORK = tier("network", 0, 50 * GB, kind="scale-out")
NODES = pool(4096, tier("node", 8, 100 * GB), NETWORK)


@st.composite
def pipelines(draw: st.DrawFn) -> tuple[Job, Strategy, list[int]]:
    """Draw a job, a strategy whose stages are whole nodes, and where its pipeline is cut into segments."""
    model: Model = draw(
        st.sampled_from([DENSE, SPARSE, replace(SPARSE, num_mtp_layers=1), replace(DENSE, tied_embeddings=True)])
    )
    pp = draw(st.sampled_from([2, 3, 4, 8]))
    strategy = Strategy(
        tp=draw(st.sampled_from([1, 2, 4])), pp=pp, dp=8, ep=draw(st.sampled_from([1, 4])) if model.moe else 1,
        micro_batch_size=draw(st.sampled_from([1, 2])), zero=draw(st.sampled_from([0, 1, 2, 3])),
        schedule=draw(st.sampled_from(["1f1b", "gpipe", "zero-bubble"])),
        recompute=draw(st.sampled_from(["none", "selective", "full"])),
        sequence_parallel=draw(st.booleans()), overlap_dp=draw(st.booleans()), overlap_tp=draw(st.booleans()),
        overlap_ep=draw(st.booleans()), offload_optimizer=draw(st.booleans()),
        weight_gather=draw(st.sampled_from(["hidden", "exposed", "broadcasts"])),
    )  # fmt: skip
    cuts = draw(st.sets(st.integers(1, pp - 1), min_size=1, max_size=3))
    return job(model), strategy, [0, *sorted(cuts), pp]


@settings(max_examples=100)
@given(pipelines(), CONSTANT_SETS)
def test_a_mixture_of_equal_chips_is_the_pool_under_any_constants(
    drawn_pipeline: tuple[Job, Strategy, list[int]], constants: Constants
) -> None:
    task, strategy, cuts = drawn_pipeline
    whole, g = replace(NODES, chips=strategy.chips), Grid.of(strategy)
    stages = every_stage(task.model, strategy)
    segments = [
        Segment.of(
            task, replace(whole, chips=strategy.chips * (end - start) // strategy.pp), constants, stages[start:end]
        )
        for start, end in pairwise(cuts)
    ]
    plain = estimate(task, whole, constants, g)
    terms, memories = estimate_segments(task, segments, NETWORK, g)
    expected: Terms = plain.terms
    step_time = first(plain.step_time)
    for kind, seconds in terms.items():
        assert first(seconds) == pytest.approx(first(expected[kind]), rel=1e-9, abs=1e-9 * step_time), kind
    assert max(map(first, memories)) == pytest.approx(first(plain.memory_total), rel=1e-9)


@settings(max_examples=30)
@given(pipelines(), CONSTANT_SETS, st.floats(0.1, 10))
def test_software_multiplies_the_whole_step(
    drawn_pipeline: tuple[Job, Strategy, list[int]], constants: Constants, software: float
) -> None:
    task, strategy, cuts = drawn_pipeline
    g, stages = Grid.of(strategy), every_stage(task.model, strategy)

    def step_time(factor: float) -> float:
        segments = [
            Segment.of(task, replace(NODES, chips=8), replace(constants, software=factor), stages[start:end])
            for start, end in pairwise(cuts)
        ]
        return first(total(estimate_segments(task, segments, joint(1e9), g)[0]))

    assert step_time(software) == pytest.approx(software * step_time(1.0), rel=1e-9)


def test_equal_segments_over_the_pools_own_link_are_the_plain_pipeline() -> None:
    plain = first(estimate(JOB, EQUAL, CONSTANTS, Grid.of(STRATEGY)).step_time)
    assert mixture(50e9) == pytest.approx(plain, rel=1e-3)


# --- unlike chips -------------------------------------------------------------------------------------------------
def test_a_slower_segment_slows_the_pipeline_and_by_no_more_than_itself() -> None:
    slow = replace(CONSTANTS, matmul_efficiency=0.35)
    assert mixture(50e9) < mixture(50e9, slow) < 2.0 * mixture(50e9)


@pytest.mark.parametrize(
    "change", [{"software": 1.2}, {"step_overhead": 0.5}, {"straggle": 0.05}, {"optimizer_efficiency": 0.5}]
)
def test_what_slows_one_segment_slows_the_pipeline_whichever_it_is(change: dict[str, float]) -> None:
    slow = replace(CONSTANTS, **change)
    both = mixture(50e9, slow, slow)
    assert mixture(50e9) < mixture(50e9, slow) <= both
    assert mixture(50e9) < mixture(50e9, CONSTANTS, slow) <= both


def test_a_slower_joint_is_never_faster() -> None:
    times = [mixture(rate) for rate in (1e12, 50e9, 5e9, 5e8, 5e7)]
    assert times == sorted(times)


def test_a_very_slow_joint_sets_the_pace_itself() -> None:
    # Once forward and once backward for every micro-batch, and once more each way to fill and drain.
    microbatches, activations = 16, 4096 / 2 * 4096 * 2.0
    rate = 1e5
    assert mixture(rate) == pytest.approx((2 * microbatches + 2) * activations / (rate * 0.7), rel=0.01)


def test_chips_lend_their_waits_only_where_all_segments_share_processors() -> None:
    shared = replace(CONSTANTS, sharing=2.0)
    assert mixture(50e9, shared, shared) < mixture(50e9)
    assert mixture(50e9, shared) == pytest.approx(mixture(50e9), rel=1e-9)  # the others lend nothing
