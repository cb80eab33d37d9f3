"""What is measured: legal plans of small models that the trainer runs, on any number of ranks."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tianji.backends.microbenchmarks.measure_machine import list_sizes
from tianji.backends.microbenchmarks.tiny_models import WHOLE, axis_plans, job_of
from tianji.backends.support import check_support
from tianji.parallel.legality import check

WORLDS = (1, 2, 3, 4, 6, 8, 16, 64)


@pytest.mark.parametrize("world", WORLDS)
def test_each_axis_has_a_plan_that_is_legal_and_runs(world: int) -> None:
    plans = axis_plans(world)
    for axis, plan in plans.items():
        check(plan.strategy, plan.job, plan.pool)
        check_support(plan)
        assert plan.strategy.chips == world
        degree = {"none": 1, "zero": plan.strategy.dp}.get(axis) or getattr(plan.strategy, axis)
        assert degree == world
    assert set(plans) >= ({"dp", "zero", "pp"} if world > 1 else {"none"})


def test_tensors_and_experts_are_cut_where_the_ranks_divide_them() -> None:
    assert [world for world in WORLDS if "tp" in axis_plans(world)] == [2, 4, 8]
    assert [world for world in WORLDS if "ep" in axis_plans(world)] == [2, 4, 8]


def test_whole_models_differ_in_what_the_fit_tells_apart() -> None:
    models = [job_of(*row).model for row in WHOLE]
    assert any(model.moe for model in models)
    assert len({model.num_layers for model in models}) > 1
    assert len({model.hidden_size for model in models}) > 3


@given(st.integers(1, 64))
@settings(max_examples=30)
def test_sizes_are_doubled_up_to_the_last(most: int) -> None:
    sizes = list_sizes(most)
    assert sizes[0] == 1
    assert sizes[-1] == most
    assert sizes == sorted(set(sizes))
    assert all(b <= 2 * a for a, b in pairwise(sizes))
