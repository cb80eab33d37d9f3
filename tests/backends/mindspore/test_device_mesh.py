"""Where ranks stand: by hand for small layouts, and as the torch trainer numbers them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.backends.mindspore.device_mesh import RankPlace
from tianji.parallel import Strategy


def test_tensor_ranks_are_neighbours_and_pipeline_ranks_are_far() -> None:
    place = RankPlace.of(Strategy(tp=2, dp=2, pp=2), 5)
    assert (place.pp, place.dp, place.tp) == (1, 0, 1)
    assert (place.tp_ranks, place.dp_ranks, place.pp_ranks) == ((4, 5), (5, 7), (1, 5))


def test_pipeline_inside_data() -> None:
    place = RankPlace.of(Strategy(tp=2, dp=2, pp=2, placement="pp-inside"), 5)
    assert (place.pp, place.dp, place.tp) == (0, 1, 1)
    assert (place.tp_ranks, place.dp_ranks, place.pp_ranks) == ((4, 5), (1, 5), (5, 7))


@pytest.mark.parametrize("placement", ["dp-inside", "pp-inside"])
def test_ranks_are_numbered_as_in_the_torch_trainer(placement: str) -> None:
    pytest.importorskip("torch")
    from tianji.backends.trainer.device_mesh import number_ranks

    strategy = Strategy(tp=2, dp=3, pp=4, placement=placement)
    grid = number_ranks(strategy).squeeze(2).numpy()
    for rank in range(strategy.chips):
        place = RankPlace.of(strategy, rank)
        assert grid[place.pp, place.dp, place.tp] == rank


DEGREE = st.integers(1, 4)
STRATEGIES = st.builds(Strategy, tp=DEGREE, dp=DEGREE, pp=DEGREE, placement=st.sampled_from(["dp-inside", "pp-inside"]))


@given(STRATEGIES)
def test_the_ranks_of_an_axis_agree_on_who_they_are_and_share_nothing_with_others(strategy: Strategy) -> None:
    places = [RankPlace.of(strategy, rank) for rank in range(strategy.chips)]
    assert len({(place.pp, place.dp, place.tp) for place in places}) == strategy.chips
    for axis in ("tp", "dp", "pp"):
        groups = {getattr(place, f"{axis}_ranks") for place in places}
        assert sorted(rank for group in groups for rank in group) == list(range(strategy.chips))
        for place in places:
            group = getattr(place, f"{axis}_ranks")
            assert group[getattr(place, axis)] == place.rank
            assert len(group) == getattr(strategy, axis)
