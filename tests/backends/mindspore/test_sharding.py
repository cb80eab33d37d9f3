"""Who holds what: by hand for small layouts, and as the torch trainer deals it out."""

import numpy as np
import pytest

from tianji.backends.mindspore.sharding import Place, axis_of, cut_weight, is_partial, layers_of_place
from tianji.parallel import Strategy

from ..samples import model_of


def test_tensor_ranks_are_neighbours_and_pipeline_ranks_are_far() -> None:
    place = Place.of(Strategy(tp=2, dp=2, pp=2), 5)
    assert (place.pp, place.dp, place.tp) == (1, 0, 1)
    assert (place.tp_ranks, place.dp_ranks, place.pp_ranks) == ((4, 5), (5, 7), (1, 5))


def test_pipeline_inside_data() -> None:
    place = Place.of(Strategy(tp=2, dp=2, pp=2, placement="pp-inside"), 5)
    assert (place.pp, place.dp, place.tp) == (0, 1, 1)
    assert (place.tp_ranks, place.dp_ranks, place.pp_ranks) == ((4, 5), (1, 5), (5, 7))


@pytest.mark.parametrize("placement", ["dp-inside", "pp-inside"])
def test_ranks_are_numbered_as_in_the_torch_trainer(placement: str) -> None:
    pytest.importorskip("torch")
    from tianji.backends.trainer.device_mesh import number_ranks

    strategy = Strategy(tp=2, dp=3, pp=4, placement=placement)
    grid = number_ranks(strategy).squeeze(2).numpy()
    for rank in range(strategy.chips):
        place = Place.of(strategy, rank)
        assert grid[place.pp, place.dp, place.tp] == rank


def test_layers_are_dealt_out_as_in_the_torch_trainer() -> None:
    pytest.importorskip("torch")
    from tianji.backends.trainer.pipeline_parallel import layers_of_stage

    model = model_of("llama")
    for stages in (1, 2, 3, 4):
        dealt = [layers_of_place(model, stages, i) for i in range(stages)]
        assert dealt == [layers_of_stage(model, stages, i) for i in range(stages)]
        assert [layer for layers in dealt for layer in layers] == list(range(model.num_layers))


def test_cuts_put_together_are_the_whole() -> None:
    whole = np.arange(32, dtype=np.float32).reshape(4, 8)
    for name in ("layers.0.attention.wq.weight", "layers.0.attention.wo.weight", "head.weight"):
        axis = axis_of(name, 2, 4)
        assert axis is not None
        assert np.array_equal(np.concatenate([cut_weight(name, whole, i, 2, 4) for i in range(2)], axis), whole)


def test_what_is_whole_on_every_tensor_rank() -> None:
    assert axis_of("layers.0.attention.wo.bias", 2, 4) is None
    assert axis_of("layers.0.attention_norm.weight", 2, 4) is None
    assert axis_of("layers.0.attention.wk.weight", 8, 4) is None  # fewer key heads than ranks
    assert axis_of("layers.0.attention.wk.bias", 2, 4) == 0


@pytest.mark.parametrize(
    ("name", "with_tokens_cut", "without"),
    [
        ("layers.0.attention.q_norm.weight", True, True),
        ("layers.0.mlp_norm.weight", True, False),
        ("layers.0.mlp.down.bias", True, False),
        ("layers.0.mlp.up.weight", False, False),
    ],
)
def test_whose_gradient_is_a_term_of_a_sum(name: str, with_tokens_cut: bool, without: bool) -> None:
    assert is_partial(name, Strategy(tp=2), 4) is with_tokens_cut
    assert is_partial(name, Strategy(tp=2, sequence_parallel=False), 4) is without
    assert not is_partial(name, Strategy(), 4)
