"""The best stages are those of all that could be named: held to every split of small pipelines, in time and under a memory."""

import warnings
from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import CHIP, DENSE, SPARSE, figure, job, pool
from tianji.catalog import load_calibration, load_model, load_pool, make_job
from tianji.hardware.calibration import Calibration
from tianji.hardware.constants import Constants
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.parallel.schedules import SCHEDULES
from tianji.parallel.stages import Stages
from tianji.perf.memory import usable_memory
from tianji.perf.passes import estimate_layers, pass_seconds, stage_counts
from tianji.perf.pipeline_stages import every_stage
from tianji.perf.segments import Segment
from tianji.perf.step import estimate, estimate_memory, fullest
from tianji.search.blocks import Weighed, estimated_blocks
from tianji.search.candidate import Candidate
from tianji.search.coarse import find_fast
from tianji.search.planner import plan
from tianji.search.refinement import refine, sharpen
from tianji.search.space import Space
from tianji.search.stages import find_joint_stages, find_stages
from tianji.workload import Job, Model, make_task

PIPELINES = [
    ("1f1b", 3, 1), ("1f1b", 4, 1), ("zero-bubble", 2, 1), ("interleaved", 2, 2), ("dualpipe", 4, 1), ("dualpipev", 2, 1),
]  # fmt: skip
MODULES = replace(SPARSE, num_mtp_layers=1)


def slowest_and_fullest(task: Job, strategy: Strategy) -> tuple[float, float]:
    """Return what the slowest rank of a pipeline takes for a micro-batch, and the bytes on the fullest."""
    g, stages = Grid.of(strategy), every_stage(task.model, strategy)
    layers = estimate_layers(Segment.whole(task, pool(64), Constants(), g).context(task, g))
    seconds = [
        float(np.ravel(sum(pass_seconds(stage_counts(s, task.model.num_mtp_layers), layers)))[0]) for s in stages
    ]
    return max(seconds), float(np.ravel(fullest(estimate_memory(task, Constants(), g, stages)))[0])


def every_split(num_layers: int, chunks: int, least_of_last: int) -> list[Stages]:
    """Return all stages of so many chunks, each with a layer at least, the last with so many."""
    found = [
        Stages(tuple(b - a for a, b in zip((0, *cuts), (*cuts, num_layers), strict=True)))
        for cuts in combinations(range(1, num_layers), chunks - 1)
    ]
    if not least_of_last:
        found += [Stages((*s.layers, 0)) for s in every_split(num_layers, chunks - 1, 1)]
    return found


def check_best(task: Job, strategy: Strategy, splits: Iterable[Stages], room: float) -> None:
    """Assert that the stages that are found are the fastest of all splits that fit into a share of what they take."""
    tried = [slowest_and_fullest(task, replace(strategy, stages=str(s))) for s in splits]
    sizes = sorted(size for _, size in tried)
    limit = sizes[int(room * (len(sizes) - 1))] * (1 + 1e-9)
    where = replace(pool(8), usable_memory=limit / usable_memory(replace(pool(8), usable_memory=1.0)))
    stages = find_stages(task, where, Constants(), strategy)
    assert stages is not None
    seconds, size = slowest_and_fullest(task, replace(strategy, stages=str(stages)))
    assert size <= limit
    assert seconds == pytest.approx(min(time for time, size in tried if size <= limit), rel=1e-9)


@settings(max_examples=25)
@given(st.sampled_from(PIPELINES), st.integers(5, 8), st.integers(0, 2), st.booleans(), st.floats(0.3, 1.0))
def test_no_split_has_a_faster_slowest_rank(
    pipeline: tuple[str, int, int], num_layers: int, leading: int, has_module: bool, room: float
) -> None:
    schedule, pp, vpp = pipeline
    model: Model = replace(MODULES if has_module else SPARSE, num_layers=num_layers)
    model = replace(model, vocab_size=40_000, moe=replace(model.moe, num_leading_dense=leading))
    task, strategy = job(model), Strategy(pp=pp, vpp=vpp, dp=2, schedule=schedule, recompute="full")
    chunks = SCHEDULES[schedule].num_chunks(pp, vpp)
    check_best(task, strategy, every_split(num_layers, chunks, 0 if has_module else 1), room)


def test_where_no_split_fits_there_is_none() -> None:
    where = replace(pool(8), usable_memory=1e-6)
    assert find_stages(job(DENSE), where, Constants(), Strategy(pp=4, dp=2)) is None


def test_a_pattern_of_layers_is_cut_where_ranks_hold_one_chunk() -> None:
    task = job(load_model("qwen3-next-80b-a3b"))
    strategy = Strategy(pp=8, dp=8, ep=8)
    big = replace(pool(64), usable_memory=100.0)
    stages = find_stages(task, big, Constants(), strategy)
    assert stages is not None
    named = replace(strategy, stages=str(stages))
    assert slowest_and_fullest(task, named)[0] <= slowest_and_fullest(task, strategy)[0]


HYBRID = load_model("jamba-v0.1")


@settings(max_examples=40)
@given(
    st.sampled_from([*PIPELINES[3:], ("zbv", 2, 1), ("zbv", 3, 1)]),
    st.lists(st.integers(0, 2), min_size=6, max_size=9), st.booleans(), st.floats(0.3, 1.0),
)  # fmt: skip
def test_no_split_of_a_pattern_has_a_faster_slowest_rank(
    pipeline: tuple[str, int, int], pattern: list[int], is_wide: bool, room: float
) -> None:
    schedule, pp, vpp = pipeline
    kinds = tuple(dict.fromkeys(pattern))
    model = replace(
        HYBRID, num_layers=len(pattern), pattern=tuple(map(kinds.index, pattern)), vocab_size=200_000 if is_wide else 8000,
        blocks=tuple(HYBRID.blocks[kind] for kind in kinds),
    )  # fmt: skip
    task, strategy = job(model), Strategy(pp=pp, vpp=vpp, dp=2, schedule=schedule, recompute="full")
    chunks = SCHEDULES[schedule].num_chunks(pp, vpp)
    check_best(task, strategy, every_split(len(pattern), chunks, 1), room)


@settings(max_examples=15)
@given(st.integers(5, 9), st.integers(0, 2), st.sampled_from([(1, 2), (2, 1), (2, 2)]), st.floats(0.2, 3.0))
def test_unlike_chips_share_layers_so_that_no_split_has_a_faster_slowest_stage(
    num_layers: int, leading: int, shares: tuple[int, int], speed: float
) -> None:
    model = replace(SPARSE, num_layers=num_layers, vocab_size=40_000)
    task = job(replace(model, moe=replace(model.moe, num_leading_dense=leading)))
    other = replace(CHIP, peak={"bf16": figure(speed * 1e14), "fp32": figure(speed * 1e13)})
    pools = [pool(8), pool(8, chip=other)]
    strategy = Strategy(pp=sum(shares), dp=4, recompute="full")

    def slowest(split: Stages) -> float:
        named, worst, at = replace(strategy, stages=str(split)), 0.0, 0
        for where, n in zip(pools, shares, strict=True):
            g, held = Grid.of(named), every_stage(task.model, named)[at : at + n]
            layers = estimate_layers(Segment.whole(task, where, Constants(), g).context(task, g))
            passes = [pass_seconds(stage_counts(one, 0), layers) for one in held]
            worst, at = max([worst, *(float(np.ravel(sum(both))[0]) for both in passes)]), at + n
        return worst

    parts = [(where, Constants(), n) for where, n in zip(pools, shares, strict=True)]
    found = find_joint_stages(task, parts, strategy)
    assert found is not None
    best = min(map(slowest, every_split(num_layers, sum(shares), 1)))
    assert slowest(Stages(found)) == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize(
    ("schedule", "vpp", "gain"), [("interleaved", 2, 0.26), ("zbv", 1, 0.24), ("dualpipe", 1, 0.11)]
)
def test_chunks_of_a_hybrid_weigh_what_they_weigh(schedule: str, vpp: int, gain: float) -> None:
    """Qwen3-Next on 8 ranks: its head weighs several layers, and dealing takes all layers as alike."""
    task, strategy = job(load_model("qwen3-next-80b-a3b")), Strategy(pp=8, dp=8, ep=8, vpp=vpp, schedule=schedule)
    stages = find_stages(task, replace(pool(64), usable_memory=100.0), Constants(), strategy)
    named = slowest_and_fullest(task, replace(strategy, stages=str(stages)))[0]
    assert named < (1.0 - gain) * slowest_and_fullest(task, strategy)[0]


def test_only_what_is_faster_is_named() -> None:
    heavy = replace(DENSE, num_layers=12, vocab_size=200_000)
    strategies = [Strategy(pp=4, dp=2), Strategy(dp=8), Strategy(pp=4, dp=2, stages="3,3,3,3")]
    named = refine(job(heavy), pool(8), Constants(), strategies)
    assert list(named) == strategies[:1]
    before, after = estimate(
        job(heavy), pool(8), Constants(), Grid.of(strategies[0], named[strategies[0]].strategy)
    ).step_time
    assert after < 0.96 * before
    light = replace(DENSE, num_layers=12, vocab_size=1)
    assert refine(job(light), pool(8), Constants(), strategies) == {}


def test_a_plan_names_the_stages_of_its_best_layouts() -> None:
    task, held = job(replace(DENSE, num_layers=12, vocab_size=200_000), batch=64), {"pp": 4}
    outcome = plan(task, pool(8), fixed=held, uneven="named")
    assert outcome.best.plan.strategy.stages
    assert outcome.dealt is not None
    assert outcome.best.step_time.nominal < outcome.dealt.step_time.nominal
    assert replace(outcome.best.plan.strategy, stages="") == outcome.dealt.plan.strategy
    assert len({r.plan.strategy for r in outcome.results}) == len(outcome.results)
    plain = plan(task, pool(8), fixed=held | {"stages": ""}, uneven="named")
    assert plain.dealt is None
    assert not any(r.plan.strategy.stages for r in plain.results)


@pytest.mark.parametrize("num_layers", [10, 11])
def test_a_plan_takes_the_best_of_all_pipelines_with_their_best_stages(num_layers: int) -> None:
    task, where = job(replace(DENSE, num_layers=num_layers, vocab_size=20_000), batch=16), pool(32)
    constants = Constants()
    every, fastest = [], np.inf
    for grid in Space(task, where, {}, {}, 0).slices():
        for block in estimated_blocks(task, where, constants, Weighed.of(task, where, constants, grid)):
            fits = block.legal & (block.memory <= usable_memory(where))
            fastest = min(fastest, block.step_time[fits].min(initial=np.inf))
            every += grid.strategies(block.start + np.flatnonzero(fits & (block.step_time < 1.2 * fastest)))
    refined = refine(task, where, constants, every)
    best = min([fastest, *(one.step_time for one in refined.values())])
    assert best < 0.99 * fastest
    outcome = plan(task, where, Calibration(), uneven="named")
    assert outcome.best.step_time.nominal == pytest.approx(best, rel=2e-3)


@settings(max_examples=30)
@given(st.sampled_from(PIPELINES), st.integers(8, 14), st.integers(1, 60_000), st.booleans())
def test_no_named_stages_are_faster_than_the_bound_in_whole_layers(
    pipeline: tuple[str, int, int], num_layers: int, vocab_size: int, has_module: bool
) -> None:
    schedule, pp, vpp = pipeline
    model = replace(MODULES if has_module else DENSE, num_layers=num_layers, vocab_size=vocab_size)
    task, where, constants = job(model, batch=64), pool(2 * pp), Constants()
    strategy = Strategy(pp=pp, vpp=vpp, dp=2, schedule=schedule)
    cost = estimate(task, where, constants, Grid.of(strategy), by_kind=False, weighs_stages=True)
    dealt, even = float(np.ravel(cost.step_time)[0]), float(np.ravel(cost.step_time - cost.bubble.uneven)[0])
    (bound,) = sharpen(task, where, constants, [Candidate(strategy, even, 0.0)])
    named = refine(task, where, constants, [strategy])
    best = min([dealt, *(one.step_time for one in named.values())])
    assert even * (1 - 1e-9) <= bound.step_time <= best * (1 + 1e-9)


def test_a_narrow_search_names_the_stages_of_what_is_then_fastest() -> None:
    where, calibration = load_pool("hgx-h100", 128), load_calibration()
    task, constants = make_job("qwen3-235b-a22b", 4096, 1024), calibration.constants(where.chip)
    dealt, named = (find_fast(task, where, constants, names_stages=on) for on in (False, True))
    assert dealt is not None and named is not None
    assert named.strategy.stages and not dealt.strategy.stages
    assert named.step_time < 0.96 * dealt.step_time
    priced = estimate(task, where, constants, Grid.of(named.strategy), by_kind=False)
    assert named.step_time == pytest.approx(float(np.ravel(priced.step_time)[0]), rel=1e-9)
    assert named.memory == pytest.approx(float(np.ravel(priced.memory_total)[0]), rel=1e-9)
    assert named.memory <= usable_memory(where)


def test_stages_that_cannot_be_run_stay_dealt_out() -> None:
    task, held = job(replace(DENSE, num_layers=12, vocab_size=200_000), batch=64), {"pp": 4}
    asked: list[Strategy] = []

    def refuse(strategy: Strategy) -> bool:
        asked.append(strategy)
        return False

    outcome = plan(task, pool(8), fixed=held, uneven="named", can_name=refuse)
    assert asked and all(s.stages for s in asked)
    assert not any(r.plan.strategy.stages for r in (*outcome.results, *outcome.front))


def test_stages_on_a_quantized_base_are_found_without_a_division_by_nothing() -> None:
    task = replace(job(DENSE), task=make_task("qlora"))
    strategy = Strategy(pp=4, dp=2, schedule="dualpipe")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_stages(task, pool(8), Constants(), strategy) is not None
