"""The search is exhaustive: one by one, over all combinations of the fields, nothing legal is faster."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from samples import CHIP, DENSE, SPARSE, figure, job, pool
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.hardware.constants import Constants
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.parallel.legality import is_legal, refusals
from tianji.parallel.plan import Plan
from tianji.perf.memory import usable_memory
from tianji.perf.step import estimate
from tianji.prediction import predict
from tianji.search import SearchOptions, explore
from tianji.search.exhaustive import FRONT_WINDOW
from tianji.search.space import Space
from tianji.units import GB
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
    given = Strategy().as_dict()
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
    cost = estimate(task, where, REAL, Grid.of(*legal))
    fits = cost.memory_total <= usable_memory(where)
    fastest = min(t for t, ok in zip(cost.step_time, fits, strict=True) if ok)
    found = explore(task, where, REAL)
    assert found.best[0].step_time == pytest.approx(fastest, rel=1e-12)


Priced = tuple[float, float, Strategy]


def price_alone(task: Job, where: Pool, vary: tuple[str, ...]) -> list[Priced]:
    """Return step time, memory and strategy of every legal member of the space, each priced as a strategy of its own."""
    space = Space(task, where, {}, {name: (False, True) for name in vary})
    members = [g.at(i) for g in space.slices() for i in np.ndindex(g.shape) if not refusals(g.at(i), task, where)]
    cost = estimate(task, where, REAL, Grid.of(*members))
    return list(zip(cost.step_time.tolist(), cost.memory_total.tolist(), members, strict=True))


@pytest.mark.parametrize(
    ("task", "chips", "vary"),
    [
        (job(batch=12), 6, ("overlap_dp", "offload_optimizer")),
        (job(SPARSE, batch=4, precision="fp8"), 4, ()),
        (job(replace(SPARSE, num_layers=3, num_mtp_layers=1), batch=6), 3, ()),
    ],
)
def test_a_search_says_what_pricing_one_by_one_says(
    task: Job, chips: int, vary: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tianji.search.space.SLICE", 5_000)
    monkeypatch.setattr("tianji.search.blocks.BLOCK", 700)
    every = price_alone(task, pool(chips), vary)  # neither time nor need depends on the memory that there is
    for memory in (100.0, 0.3):
        where = pool(chips, chip=replace(CHIP, memory=figure(memory * GB)))
        compare_with_search(every, task, where, vary)


def compare_with_search(every: list[Priced], task: Job, where: Pool, vary: tuple[str, ...]) -> None:
    fitting = sorted((p for p in every if p[1] <= usable_memory(where)), key=lambda p: p[:2])
    front: list[Priced] = []
    for one in fitting:
        if one[0] <= FRONT_WINDOW * fitting[0][0] and (not front or one[1] < front[-1][1]):
            front.append(one)
    found = explore(task, where, REAL, SearchOptions(extra={name: (False, True) for name in vary}, top=30))
    assert (found.candidates, found.feasible) == (len(every), len(fitting))
    assert 0 < found.feasible <= found.candidates
    # Sums of a rank's stages are added in another order: twelve digits agree.
    for some, wanted in ((found.best, fitting[:30]), (found.front, front)):
        assert [c.step_time for c in some] == pytest.approx([p[0] for p in wanted], rel=1e-12)
        assert [c.memory for c in some] == pytest.approx([p[1] for p in wanted], rel=1e-12)
    by_strategy = {strategy: (time, memory) for time, memory, strategy in fitting}
    for c in (*found.best, *found.front):
        assert (c.step_time, c.memory) == pytest.approx(by_strategy[c.strategy], rel=1e-12)


def test_no_legal_layout_of_a_larger_pool_beats_the_search() -> None:
    task, where = job(SPARSE, batch=32), pool(16)
    best = explore(task, where, REAL).best[0]
    under = Calibration(chips={CHIP.name: REAL})
    tried = [s for s in every_strategy(job(DENSE, batch=32), 16)[::499] if not refusals(s, task, where)]
    assert len(tried) > 20
    for strategy in tried:
        assert predict(Plan(task, where, strategy), under).step_time.nominal >= best.step_time
