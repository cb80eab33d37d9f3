"""What a rank holds is the sum of the stages that its schedule gives it, in time as in memory."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import DENSE, SPARSE, job, pool
from tianji.hardware.constants import Constants
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.parallel.schedules import SCHEDULES
from tianji.parallel.stages import Stages
from tianji.perf.holdings import Holding, LayerSequence, chunk_stages, deal_layers, hold_all, hold_most, stages_of
from tianji.perf.passes import estimate_layers, pass_seconds, stage_counts
from tianji.perf.pipeline_stages import every_stage
from tianji.perf.segments import Segment
from tianji.perf.step import estimate, estimate_memory, fullest, microbatches
from tianji.search.blocks import Weighed, estimated_blocks

OUTSIDE = ("bubble", "dp_comm", "pp_comm", "optimizer", "waiting")
AHEAD = replace(SPARSE, num_mtp_layers=1)
NAMES = st.sampled_from(list(SCHEDULES))
SEQUENCES = st.builds(
    LayerSequence,
    st.integers(1, 96),
    st.integers(0, 2),
    st.integers(0, 3),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.just(()),
    tail=st.just(0),
)


def sizes(schedule: str, num_layers: int, pp: int, vpp: int) -> tuple[int, int]:
    """Return as many stages and chunks as go with a schedule and the layers."""
    how = SCHEDULES[schedule]
    vpp = vpp if how.is_chunked else 1
    return max(min(pp, num_layers // (vpp * how.halves)), 1), vpp


@given(st.integers(1, 128), st.integers(1, 128))
def test_layers_are_dealt_out_evenly_and_none_is_lost(num_layers: int, chunks: int) -> None:
    dealt = deal_layers(num_layers, chunks)
    assert len(dealt) == chunks
    assert sum(dealt) == num_layers
    assert max(dealt) - min(dealt) <= 1
    assert max(dealt[0], dealt[-1]) <= max(dealt[1:-1], default=num_layers)


@given(st.integers(1, 128), st.integers(1, 128), st.integers(0, 400))
def test_a_heavy_tail_takes_all_layers_of_the_last_chunk_and_no_more(num_layers: int, chunks: int, tail: int) -> None:
    dealt = deal_layers(num_layers, chunks, tail)
    assert (len(dealt), sum(dealt)) == (chunks, num_layers)
    assert min(dealt) >= 0


@given(SEQUENCES, NAMES, st.integers(1, 16), st.integers(2, 5))
def test_all_ranks_together_hold_the_model(sequence: LayerSequence, schedule: str, pp: int, vpp: int) -> None:
    pp, vpp = sizes(schedule, sequence.num_layers, pp, vpp)
    everyone = hold_all(sequence, schedule, pp, vpp)
    assert sum(sum(one.layers) for one in everyone) == pytest.approx(sequence.num_layers)
    assert sum(one.embedding for one in everyone) == 1
    assert sum(one.head for one in everyone) == 1
    assert sum(one.modules for one in everyone) == sequence.num_mtp_layers


@given(SEQUENCES, NAMES, st.integers(1, 16), st.integers(2, 5))
def test_no_rank_holds_more_than_one_of_those_looked_at(
    sequence: LayerSequence, schedule: str, pp: int, vpp: int
) -> None:
    pp, vpp = sizes(schedule, sequence.num_layers, pp, vpp)
    most = hold_most(sequence, schedule, pp, vpp)
    assert most[0].rank == 0
    for one in hold_all(sequence, schedule, pp, vpp):
        assert any(
            other.rank <= one.rank and all(a >= b for a, b in zip(flat(other), flat(one), strict=True))
            for other in most
        )


@given(st.data(), SEQUENCES, NAMES, st.integers(1, 8), st.integers(2, 4))
def test_named_stages_are_held_and_dealt_ones_named_are_the_same(
    data: st.DataObject, sequence: LayerSequence, schedule: str, pp: int, vpp: int
) -> None:
    pp, vpp = sizes(schedule, sequence.num_layers, pp, vpp)
    dealt = chunk_stages(sequence, schedule, pp, vpp)
    assert hold_all(sequence, schedule, pp, vpp, str(dealt)) == hold_all(sequence, schedule, pp, vpp)
    cuts = [0, *sorted(data.draw(st.tuples(*[st.integers(0, sequence.num_layers)] * (len(dealt.layers) - 1))))]
    layers = tuple(b - a for a, b in pairwise([*cuts, sequence.num_layers]))
    held = hold_all(sequence, schedule, pp, vpp, str(Stages(layers)))
    assert sum(sum(one.layers) for one in held) == pytest.approx(sequence.num_layers)
    copies, how = held[0].copies, SCHEDULES[schedule]
    for one in held:
        own = sum(layers[k] for k in how.chunks_of_rank(pp, vpp, one.rank))
        assert sum(one.layers) == pytest.approx(own / copies)


NAMED = {"1f1b": (4, 1), "interleaved": (2, 2), "zero-bubble": (4, 1), "dualpipe": (4, 1), "dualpipev": (2, 1)}


@settings(max_examples=25)
@given(st.sampled_from(list(NAMED.items())), st.lists(st.integers(1, 5), min_size=4, max_size=4))
def test_stages_as_they_are_dealt_cost_the_same_and_others_what_their_slowest_takes(
    pipeline: tuple[str, tuple[int, int]], layers: list[int]
) -> None:
    schedule, (pp, vpp) = pipeline
    model = replace(AHEAD, num_layers=sum(layers))
    task, where = job(model), pool(8)
    plain = Strategy(pp=pp, vpp=vpp, dp=2, schedule=schedule, recompute="full")
    dealt = replace(plain, stages=str(stages_of(model, plain)))
    own = replace(plain, stages=",".join(map(str, layers)))
    costs = [estimate(task, where, Constants(), Grid.of(s)) for s in (plain, dealt, own)]
    together = estimate(task, where, Constants(), Grid.of(plain, dealt, own))
    assert costs[0].terms == costs[1].terms
    assert costs[0].memory_total == costs[1].memory_total
    for i, cost in enumerate(costs):
        assert together.step_time[i] == pytest.approx(cost.step_time[0], rel=1e-12)
        assert together.memory_total[i] == pytest.approx(cost.memory_total[0], rel=1e-12)
    g, stages = Grid.of(own), every_stage(model, own)
    assert costs[2].memory_total == pytest.approx(fullest(estimate_memory(task, Constants(), g, stages)))
    seconds = estimate_layers(Segment.whole(task, where, Constants(), g).context(task, g))
    slowest = max(sum(np.ravel(pass_seconds(stage_counts(s, 1), seconds))) for s in stages)
    passes = sum(np.ravel(t)[0] for kind, t in costs[2].terms.items() if kind not in OUTSIDE)
    assert passes == pytest.approx(np.ravel(microbatches(task, g))[0] * slowest, rel=1e-9)


def flat(one: Holding) -> list[float]:
    return [*one.layers, one.embedding, one.modules, one.head]


def test_the_first_rank_of_a_v_has_both_ends_of_the_model() -> None:
    # Eight half-stages of one layer each: the first rank has layers 0 and 7.
    first, *others = hold_all(LayerSequence.of(AHEAD), "dualpipev", 4, 1)
    assert first == Holding(0, (1.0, 1.0), 1, 1, 1, 1.0)
    assert all(flat(one) == [0, 2, 0, 0, 0] for one in others)


def test_a_rank_of_dualpipe_sees_half_of_the_micro_batches_on_each_stage_and_holds_both() -> None:
    first, second = hold_all(LayerSequence.of(DENSE), "dualpipe", 4, 1)[:2]
    assert first == Holding(0, (2.0, 0.0), 0.5, 0.0, 0.5, 2.0)
    assert second == Holding(1, (2.0, 0.0), 0.0, 0.0, 0.0, 2.0)


def test_chunks_go_round_the_ranks() -> None:
    # Sixteen layers in eight chunks: the three that lie ahead are the first chunk and half of the second.
    held = hold_all(LayerSequence(16, 0, leading=3, share=1.0), "interleaved", 4, 2)
    assert [one.layers for one in held] == [(2, 2), (1, 3), (0, 4), (0, 4)]


@settings(max_examples=40)
@given(NAMES, st.sampled_from([1, 2, 4]), st.integers(8, 21), st.integers(0, 3))
def test_the_pace_is_that_of_the_slowest_rank_and_the_memory_that_of_the_fullest(
    schedule: str, pp: int, num_layers: int, leading: int
) -> None:
    model = replace(AHEAD, num_layers=num_layers, moe=replace(AHEAD.moe, num_leading_dense=leading))
    vpp = 2 if SCHEDULES[schedule].is_chunked and pp > 1 else 1
    if SCHEDULES[schedule].is_chunked and pp == 1:
        schedule = "1f1b"
    strategy = Strategy(pp=pp, vpp=vpp, dp=2, schedule=schedule, recompute="full")
    task, g, where = job(model), Grid.of(strategy), pool(8)
    stages = every_stage(model, strategy)
    cost = estimate(task, where, Constants(), g)
    memory = estimate_memory(task, Constants(), g, stages)
    assert np.ravel(cost.memory_total)[0] == pytest.approx(np.ravel(fullest(memory))[0])
    layers = estimate_layers(Segment.whole(task, where, Constants(), g).context(task, g))
    slowest = max(sum(np.ravel(pass_seconds(stage_counts(s, 1), layers))) for s in stages)
    passes = [seconds for kind, seconds in cost.terms.items() if kind not in OUTSIDE]
    count = np.ravel(microbatches(task, g))[0]
    assert sum(np.ravel(seconds)[0] for seconds in passes) == pytest.approx(count * slowest, rel=1e-9)


def test_a_search_adds_up_what_a_single_prediction_says_by_kind() -> None:
    task, where, given_constants = job(AHEAD), pool(64), Constants(straggle=0.02, software=1.1)
    axes = (
        {"zero": np.asarray([1, 3])},
        {"schedule": np.arange(len(SCHEDULES)), "vpp": np.asarray([1 + s.is_chunked for s in SCHEDULES.values()])},
        {"dp": np.asarray([4, 8]), "tp": np.asarray([4, 2])},
    )
    grid = Grid.product(axes, Strategy(pp=4))
    (block,) = estimated_blocks(task, where, given_constants, Weighed.of(task, where, given_constants, grid))
    for place, index in enumerate(np.ndindex(grid.shape)):
        alone = estimate(task, where, given_constants, Grid.of(grid.at(index)))
        assert block.step_time[place] == pytest.approx(np.ravel(alone.step_time)[0], rel=1e-12)
        assert block.memory[place] == pytest.approx(np.ravel(alone.memory_total)[0], rel=1e-12)


def test_pipelines_and_degrees_may_vary_along_one_axis() -> None:
    task, where = job(AHEAD), pool(64)
    axes = (
        {"zero": np.asarray([1, 3])},
        {"schedule": np.asarray([0, 1, 0]), "dp": np.asarray([4, 8, 8]), "tp": np.asarray([4, 2, 2])},
    )
    grid = Grid.product(axes, Strategy(pp=4))
    (block,) = estimated_blocks(task, where, Constants(), Weighed.of(task, where, Constants(), grid))
    for place, index in enumerate(np.ndindex(grid.shape)):
        alone = estimate(task, where, Constants(), Grid.of(grid.at(index)))
        assert block.step_time[place] == pytest.approx(np.ravel(alone.step_time)[0], rel=1e-12)


@pytest.mark.parametrize("schedule", list(SCHEDULES))
def test_equal_stages_take_as_long_under_every_schedule_but_for_the_bubble(schedule: str) -> None:
    model = replace(DENSE, vocab_size=1)
    vpp = 2 if SCHEDULES[schedule].is_chunked else 1
    found = estimate(job(model), pool(8), Constants(), Grid.of(Strategy(pp=4, vpp=vpp, dp=2, schedule=schedule)))
    plain = estimate(job(model), pool(8), Constants(), Grid.of(Strategy(pp=4, dp=2)))
    for kind in ("matmul", "attention"):
        assert np.ravel(found.terms[kind])[0] == pytest.approx(np.ravel(plain.terms[kind])[0], rel=1e-2)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_ends_are_where_the_counts_say(dealt: list[int]) -> None:
    sequence = LayerSequence(sum(dealt), 0, leading=2, share=0.5)
    before = sequence.counts_before()
    assert len(before) == sequence.num_layers + 1
    assert all(sum(b) - sum(a) == pytest.approx(1) for a, b in pairwise(before))
