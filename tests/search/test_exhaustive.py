"""A search finds what one by one would be found."""

from dataclasses import replace
from itertools import pairwise

import pytest

from samples import CHIP, DENSE, SPARSE, figure, job, pool, travel
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.hardware.constants import Constants
from tianji.parallel.plan import Plan
from tianji.prediction import predict
from tianji.search import SearchOptions, SearchResult, explore
from tianji.units import GB
from tianji.workload import Job

REAL = Constants(matmul_half_size=50.0, scale_up_latency=3e-6, scale_out_latency=1e-5, overlap_efficiency=0.7)


def small(memory: float, chips: int = 16) -> Pool:
    return pool(chips, chip=replace(CHIP, memory=figure(memory)))


def search(task: Job, where: Pool, **more: object) -> SearchResult:
    return explore(task, where, REAL, SearchOptions(**more))  # type: ignore[arg-type]


def test_the_best_come_fastest_first_and_fit() -> None:
    found = search(job(), pool(16), top=20)
    times = [c.step_time for c in found.best]
    assert len(times) == 20
    assert times == sorted(times)
    assert all(c.memory <= 94 * GB for c in found.best)


def test_more_of_the_best_begin_with_the_same() -> None:
    assert search(job(), pool(16), top=20).best[:3] == search(job(), pool(16), top=3).best


def test_the_front_trades_time_for_memory() -> None:
    front = search(job(SPARSE), pool(16)).front
    assert len(front) > 1
    for fast, slow in pairwise(front):
        assert fast.step_time < slow.step_time
        assert fast.memory > slow.memory


def test_the_front_starts_with_the_best() -> None:
    found = search(job(), pool(16))
    assert found.front[0].step_time == found.best[0].step_time
    assert found.front[-1].step_time <= 2 * found.best[0].step_time


@pytest.mark.parametrize("task", [job(), job(SPARSE, precision="fp8")])
def test_a_search_and_a_prediction_agree_to_twelve_digits(task: Job) -> None:
    found = search(task, pool(16), top=40)
    under = Calibration(chips={CHIP.name: REAL})
    for c in [*found.best, *found.front]:
        alone = predict(Plan(task, pool(16), c.strategy), under)
        # The terms are the same; the search adds them up in another order.
        assert alone.step_time.nominal == pytest.approx(c.step_time, rel=1e-12), c.strategy
        assert alone.memory_total == pytest.approx(c.memory, rel=1e-12), c.strategy


def test_nothing_fits_a_tiny_chip_and_the_closest_miss_is_kept() -> None:
    found = search(job(), small(1e6))
    assert (found.best, found.front, found.feasible) == ((), (), 0)
    assert found.candidates > 0
    assert found.closest is not None
    assert found.closest.memory > 1e6


def test_less_memory_leaves_fewer_and_never_faster_plans() -> None:
    much, little = search(job(), pool(16)), search(job(), small(0.3 * GB))
    assert 0 < little.feasible < much.feasible
    assert little.candidates == much.candidates
    assert little.best[0].step_time >= much.best[0].step_time


def test_progress_counts_up_to_the_candidates() -> None:
    seen: list[int] = []
    found = search(job(), pool(16), progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == found.candidates


def test_fixed_degrees_that_do_not_go_find_nothing() -> None:
    assert search(job(DENSE), pool(16), fixed={"tp": 3}).candidates == 0


@pytest.mark.parametrize("memory", [0.5, 4, 30, 100])
@pytest.mark.parametrize("task", [job(), job(SPARSE)])
@pytest.mark.parametrize("top", [1, 7, 60])
def test_slices_priced_apart_give_what_they_give_together(
    memory: float, task: Job, top: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tianji.search.space.SLICE", 2_000)
    where = small(memory * GB)
    together, apart = search(task, where, top=top), search(task, where, top=top, mapper=travel)
    assert replace(together, seconds=0.0) == replace(apart, seconds=0.0)


def test_of_equally_fast_strategies_the_smaller_come_first_however_the_space_is_sliced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [search(job(SPARSE), pool(16), top=200).best]
    assert any(a.step_time == b.step_time for a, b in pairwise(found[0]))
    assert all((a.step_time, a.memory) <= (b.step_time, b.memory) for a, b in pairwise(found[0]))
    monkeypatch.setattr("tianji.search.space.SLICE", 500)
    found.append(search(job(SPARSE), pool(16), top=200).best)
    assert [(c.step_time, c.memory) for c in found[0]] == [(c.step_time, c.memory) for c in found[1]]


@pytest.mark.parametrize("task", [job(), job(SPARSE)])
@pytest.mark.parametrize("share", [0.5, 1.0, 1.3, 50.0])
def test_a_known_step_time_changes_no_answer(task: Job, share: float) -> None:
    for where in (pool(16), small(0.3 * GB)):
        free = search(task, where, top=6, uneven="noted")
        told = search(task, where, top=6, uneven="noted", reached=share * free.best[0].step_time)
        for name in ("candidates", "feasible", "best", "front", "shortlist", "improvable"):
            assert getattr(told, name) == getattr(free, name), name


@pytest.mark.parametrize("task", [job(batch=32), job(SPARSE, batch=32)])
@pytest.mark.parametrize("memory", [94 * GB, 12 * GB])
def test_what_is_left_out_for_its_bounds_would_not_be_told_of(
    task: Job, memory: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tianji.search.blocks.BLOCK", 50)
    options = SearchOptions(top=3, leading=8, uneven="noted")
    pruned = explore(task, small(memory), REAL, options)
    monkeypatch.setattr("tianji.search.exhaustive._Ledger.may_tell", lambda self, seconds, size: seconds < float("inf"))
    assert replace(pruned, seconds=0.0) == replace(explore(task, small(memory), REAL, options), seconds=0.0)
