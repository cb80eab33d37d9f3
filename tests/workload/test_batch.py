"""Jobs that differ only in sizes become one with arrays, and price as they do alone."""

from dataclasses import replace

import numpy as np
import pytest

from samples import DENSE, SPARSE, job, pool
from tianji.hardware.constants import Constants
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.perf.step import estimate
from tianji.workload import Job
from tianji.workload.batch import stack, structure

WIDE = replace(DENSE, name="wide", hidden_size=1024, num_layers=16, intermediate_size=4096)


def test_sizes_become_arrays_in_the_order_of_the_jobs() -> None:
    both = stack([job(DENSE, batch=8), job(WIDE, seq_len=2048, batch=16)])
    assert np.asarray(both.model.hidden_size).tolist() == [512, 1024]
    assert np.asarray(both.seq_len).tolist() == [1024, 2048]
    assert np.asarray(both.tokens_per_step).tolist() == [8 * 1024, 16 * 2048]
    experts = stack([job(SPARSE), job(SPARSE)]).model.moe
    assert experts is not None
    assert np.asarray(experts.num_experts).tolist() == [8, 8]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (job(DENSE), job(WIDE, seq_len=4096, batch=1), True),
        (job(DENSE), job(SPARSE), False),
        (job(DENSE), job(DENSE, precision="fp8"), False),
        (job(DENSE), job(DENSE, causal=False), False),
        (job(DENSE), job(replace(DENSE, gated_mlp=False)), False),
    ],
)
def test_only_jobs_of_the_same_ops_are_stacked(one: Job, other: Job, alike: bool) -> None:
    assert (structure(one) == structure(other)) is alike


def test_a_stack_prices_as_its_jobs_do_alone() -> None:
    jobs, strategies = [job(DENSE), job(WIDE, seq_len=2048)], [Strategy(tp=2, dp=8), Strategy(pp=4, dp=4)]
    together = estimate(stack(jobs), pool(16), Constants(), Grid.of(*strategies))
    for i, (task, strategy) in enumerate(zip(jobs, strategies, strict=True)):
        alone = estimate(task, pool(16), Constants(), Grid.of(strategy))
        assert together.step_time[i] == pytest.approx(alone.step_time[0], rel=1e-12)
        assert together.memory_total[i] == pytest.approx(alone.memory_total[0], rel=1e-12)
