"""Every layer is on exactly one stage, and every stage on exactly one rank."""

import pytest

from tianji.backends.trainer.context_parallel import place_tokens
from tianji.backends.trainer.device_mesh import number_ranks
from tianji.backends.trainer.pipeline_parallel import SCHEDULES, chunks_of, layers_of_stage, stages_of_rank
from tianji.parallel import Strategy
from tianji.parallel.schedules import SCHEDULES as WORDS
from tianji.workload.huggingface import read_config

from ..samples import SIZES


@pytest.mark.parametrize("schedule", WORDS)
@pytest.mark.parametrize("pp", [2, 3, 4])
def test_the_ranks_share_out_the_stages(schedule: str, pp: int) -> None:
    strategy = Strategy(pp=pp, schedule=schedule, vpp=3 if schedule == "interleaved" else 1)
    stages = sorted(stage for rank in range(pp) for stage in stages_of_rank(strategy, rank))
    assert stages == list(range(pp * chunks_of(strategy)))


def test_a_v_shape_begins_and_ends_on_the_first_rank() -> None:
    assert [stages_of_rank(Strategy(pp=4, schedule="zbv"), rank) for rank in range(4)] == [
        [0, 7],
        [1, 6],
        [2, 5],
        [3, 4],
    ]


@pytest.mark.parametrize("layers", [4, 7, 9, 61])
@pytest.mark.parametrize("stages", [1, 2, 3, 4])
def test_the_stages_share_out_the_layers_in_order(layers: int, stages: int) -> None:
    model = read_config({"model_type": "llama", **SIZES, "num_hidden_layers": layers}, "tiny")
    found = [layer for stage in range(stages) for layer in layers_of_stage(model, Strategy(pp=stages), stage)]
    assert found == list(range(layers))


def test_named_stages_hold_the_layers_that_they_name() -> None:
    model = read_config({"model_type": "llama", **SIZES, "num_hidden_layers": 7}, "tiny")
    named = Strategy(pp=3, stages="1,4,2")
    assert [layers_of_stage(model, named, i) for i in range(3)] == [range(1), range(1, 5), range(5, 7)]


def test_every_schedule_of_a_strategy_has_its_class() -> None:
    assert set(SCHEDULES) == set(WORDS)


@pytest.mark.parametrize("kind", ["ring", "ulysses", "all_gather"])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_context_ranks_share_out_the_tokens(kind: str, size: int) -> None:
    held = [token for rank in range(size) for token in place_tokens(16, size, rank, kind).tolist()]
    assert sorted(held) == list(range(16))


def test_a_ring_loads_its_ranks_alike() -> None:
    """Causal attention costs a token its place; early and late chunks even that out."""
    loads = [place_tokens(64, 4, rank, "ring").sum().item() for rank in range(4)]
    assert len(set(loads)) == 1


@pytest.mark.parametrize(("placement", "stride"), [("dp-inside", (8, 4, 2, 1)), ("pp-inside", (4, 8, 2, 1))])
def test_ranks_are_numbered_as_they_are_priced(placement: str, stride: tuple[int, ...]) -> None:
    ranks = number_ranks(Strategy(pp=2, dp=2, cp=2, tp=2, placement=placement))
    assert [int(ranks.moveaxis(dim, 0)[1].flatten()[0]) for dim in range(4)] == list(stride)
