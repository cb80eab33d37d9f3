"""A stage takes the time of its layers, and the slowest one is found by it."""

from dataclasses import replace

import numpy as np
import pytest

from samples import DENSE, SPARSE, job, pool
from tianji.hardware.constants import Constants
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.perf.communication import Links
from tianji.perf.compute import ChipRates
from tianji.perf.context import Context, total
from tianji.perf.passes import (
    all_counts,
    estimate_layers,
    estimate_pass,
    pass_seconds,
    slowest_counts,
    stage_counts,
    sum_counts,
)
from tianji.perf.stages import stage
from tianji.workload import Model

SPARSE_AHEAD = replace(SPARSE, num_mtp_layers=1)


def context(model: Model, *strategies: Strategy) -> Context:
    task, where, given = job(model), pool(16), Constants(op_overhead=1e-6)
    machine, network = ChipRates.of(where.chip, task.precision, given), Links.of(where, given)
    return Context(task, machine, network, given, Grid.of(*strategies))


def counts(model: Model, pp: int, place: int) -> dict[str, float]:
    found = stage_counts(stage(model, np.asarray([pp]), np.asarray([place])), model.num_mtp_layers)
    return {name: float(np.ravel(n)[0]) for name, n in found.items()}


def test_a_stage_holds_its_layers_and_nothing_else() -> None:
    assert counts(DENSE, 4, 0) == {"dense": 2, "embedding": 1}
    assert counts(DENSE, 4, 1) == {"dense": 2}
    assert counts(SPARSE_AHEAD, 4, 3) == {"moe": 2, "head": 2, "mtp": 1}, "the module asks the head once more"
    assert {k: float(n) for k, n in all_counts(SPARSE_AHEAD).items()} == {
        "dense": 1,
        "moe": 7,
        "embedding": 1,
        "head": 2,
        "mtp": 1,
    }


@pytest.mark.parametrize("model", [DENSE, SPARSE_AHEAD])
def test_all_stages_together_take_what_all_layers_take(model: Model) -> None:
    layers = estimate_layers(context(model, Strategy(pp=4, dp=4)))
    whole = sum(np.ravel(pass_seconds(all_counts(model), layers))).item()
    stages = [stage_counts(stage(model, np.asarray([4]), np.asarray([i])), model.num_mtp_layers) for i in range(4)]
    each = [sum(np.ravel(pass_seconds(n, layers))).item() for n in stages]
    assert sum(each) == pytest.approx(whole, rel=1e-12)


def test_the_kinds_of_a_pass_add_up_to_its_seconds() -> None:
    layers = estimate_layers(context(SPARSE_AHEAD, Strategy(tp=2, dp=8, ep=4, recompute="full")))
    some = {"moe": np.asarray(3.0), "head": np.asarray(1), "mtp": np.asarray(2)}
    terms, weight = estimate_pass(some, layers)
    assert total(terms) == pytest.approx(sum(np.ravel(pass_seconds(some, layers))), rel=1e-12)
    by_hand = 3.0 * layers["moe"].weight + layers["head"].weight + 2 * layers["mtp"].weight
    assert weight == pytest.approx(by_hand, rel=1e-12)


def test_the_slowest_stage_is_found_at_each_place_by_itself() -> None:
    one, other = {"dense": np.asarray(5.0)}, {"dense": np.asarray(2.0), "head": np.asarray(1.0)}
    sums = [np.array([7.0, 3.0]), np.array([4.0, 4.0])]
    mixed = slowest_counts([one, other], sums, np.maximum(*sums))
    assert {name: n.tolist() for name, n in mixed.items()} == {"dense": [5.0, 2.0], "head": [0.0, 1.0]}
    assert slowest_counts([one, other], sums, sums[0]) is one
    assert slowest_counts([one, other], sums, np.array([9.0, 9.0])) is other, "nowhere the first: the last is left"


def test_the_first_of_equally_slow_stages_is_taken() -> None:
    one, other = {"dense": np.asarray(5.0)}, {"moe": np.asarray(5.0)}
    same = np.array([7.0])
    assert slowest_counts([one, other], [same, same], same) is one


@pytest.mark.parametrize("model", [DENSE, SPARSE_AHEAD])
def test_the_layers_of_all_stages_are_those_of_the_model(model: Model) -> None:
    each = [stage_counts(stage(model, np.asarray(4), np.asarray(i)), model.num_mtp_layers) for i in range(4)]
    together = {name: float(n) for name, n in sum_counts(each).items() if n}
    assert together == {name: float(n) for name, n in all_counts(model).items()}
