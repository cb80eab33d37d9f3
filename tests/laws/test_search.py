"""The search is exhaustive: one by one, over all combinations of the fields, nothing legal is faster."""

from itertools import product
from typing import Any

import pytest

from samples import CHIP, DENSE, SPARSE, job, pool
from tianji.hardware.calibration import Calibration, Constants
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.parallel.layouts import DEFAULTS
from tianji.parallel.legality import is_legal, refusals
from tianji.parallel.plan import Plan
from tianji.perf.memory import usable_memory
from tianji.perf.step import price
from tianji.prediction import predict
from tianji.search import explore
from tianji.workload import Job

REAL = Constants(
    matmul_efficiency=0.8, matmul_half_size=50.0, scale_up_latency=3e-6, scale_out_latency=1e-5, overlap_efficiency=0.7,
    memory_efficiency=0.8, op_overhead=1e-6, straggle=0.01,
)  # fmt: skip


def every_strategy(task: Job, chips: int) -> list[Strategy]:
    """Return all legal combinations of all fields but the engine's own switches, legality alone deciding."""
    degrees = [d for d in range(1, chips + 1) if chips % d == 0]
    experts = [1, 2, 4, 8] if task.model.moe else [1]
    values: dict[str, list[Any]] = {
        "tp": degrees, "pp": degrees, "cp": degrees, "dp": degrees, "ep": experts, "etp": experts[:3],
        "vpp": [1, 2, 4, 8], "micro_batch_size": [1, 2, 4, 8], "zero": [0, 1, 2, 3],
        "recompute": ["none", "selective", "full"],
        "schedule": ["1f1b", "interleaved", "gpipe", "zero-bubble", "dualpipe"], "cp_kind": ["ring", "ulysses"],
        "placement": ["dp-inside", "pp-inside"], "offload_optimizer": [False, True], "sequence_parallel": [True, False],
    }  # fmt: skip
    shapes = [s for s in product(*(values[n] for n in ("tp", "pp", "cp", "dp"))) if s[0] * s[1] * s[2] * s[3] == chips]
    rest = {n: v for n, v in values.items() if n not in ("tp", "pp", "cp", "dp")}
    given = DEFAULTS.as_dict()
    found = [
        Strategy(**given | dict(zip(("tp", "pp", "cp", "dp"), shape, strict=True)) | dict(zip(rest, more, strict=True)))
        for shape in shapes
        for more in product(*rest.values())
        if (more[2] > 1) == (more[6] == "interleaved")
    ]
    legal = is_legal(Grid.of(*found), task, pool(chips))
    return [s for s, ok in zip(found, legal, strict=True) if ok]


@pytest.mark.parametrize(
    ("task", "chips"), [(job(batch=8), 4), (job(SPARSE, batch=8, precision="fp8"), 2), (job(batch=6), 3)]
)
def test_one_by_one_finds_the_same_best(task: Job, chips: int) -> None:
    where = pool(chips)
    legal = every_strategy(task, chips)
    cost = price(task, where, REAL, Grid.of(*legal))
    fits = cost.memory_total <= usable_memory(where)
    fastest = min(t for t, ok in zip(cost.step_time, fits, strict=True) if ok)
    found = explore(task, where, REAL)
    assert found.best[0].step_time == fastest


def test_no_legal_layout_of_a_larger_pool_beats_the_search() -> None:
    task, where = job(SPARSE, batch=32), pool(16)
    best = explore(task, where, REAL).best[0]
    under = Calibration(chips={CHIP.name: REAL})
    tried = [s for s in every_strategy(job(DENSE, batch=32), 16)[::499] if not refusals(s, task, where)]
    assert len(tried) > 20
    for strategy in tried:
        assert predict(Plan(task, where, strategy), under).step_time.nominal >= best.step_time
