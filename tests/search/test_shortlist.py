"""The shortlist: the leading unlike layouts of a search, each in its fastest variant."""

import pytest

from samples import SPARSE, job, pool
from tianji.hardware.constants import Constants
from tianji.prediction.mapper import Mapper
from tianji.search import SearchOptions, explore
from tianji.search.shortlist import WINDOW, layout_key

REAL = Constants(matmul_half_size=50.0, scale_up_latency=3e-6, scale_out_latency=1e-5, op_overhead=1e-6, straggle=0.01)
EVERYTHING = 10**6
TASK, WHERE = job(SPARSE, batch=4), pool(4)


def every_layout() -> dict[object, float]:
    """Return the step time of the fastest variant of each layout, from a list of all strategies."""
    found: dict[object, float] = {}
    for c in explore(TASK, WHERE, REAL, SearchOptions(top=EVERYTHING)).best:
        found.setdefault(layout_key(c.strategy), c.step_time)
    return found


def test_it_holds_the_fastest_variant_of_each_layout_near_the_best() -> None:
    known = every_layout()
    listed = explore(TASK, WHERE, REAL, SearchOptions(top=1, leading=EVERYTHING)).shortlist
    near = {key: time for key, time in known.items() if time <= WINDOW * min(known.values())}
    assert {layout_key(c.strategy): c.step_time for c in listed} == near
    assert [c.step_time for c in listed] == sorted(near.values())


@pytest.mark.parametrize("leading", [1, 7, 40])
def test_a_shorter_list_is_the_beginning_of_a_longer_one(leading: int, monkeypatch: pytest.MonkeyPatch) -> None:
    every = explore(TASK, WHERE, REAL, SearchOptions(leading=EVERYTHING)).shortlist
    monkeypatch.setattr("tianji.search.space.SLICE", 5_000)
    monkeypatch.setattr("tianji.search.blocks.BLOCK", 700)
    some = explore(TASK, WHERE, REAL, SearchOptions(leading=leading)).shortlist
    slowest = every[leading - 1].step_time
    assert [c.step_time for c in some] == [c.step_time for c in every if c.step_time <= slowest]


def test_slices_priced_elsewhere_give_the_same_list() -> None:
    mapper: Mapper = map
    here = explore(TASK, WHERE, REAL).shortlist
    elsewhere = explore(TASK, WHERE, REAL, SearchOptions(mapper=mapper)).shortlist
    assert [c.step_time for c in here] == [c.step_time for c in elsewhere]
    assert {layout_key(c.strategy) for c in here} == {layout_key(c.strategy) for c in elsewhere}


def test_none_is_kept_where_none_is_asked_for() -> None:
    assert explore(TASK, WHERE, REAL, SearchOptions(leading=0)).shortlist == ()
