from dataclasses import replace

import pytest

from tianji.catalog import load_calibration, load_pool, make_job
from tianji.comparison import size_pool
from tianji.errors import FormatError, InfeasibleError, UnknownFigureError
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.workload import Job

pytestmark = pytest.mark.xdist_group("comparison")  # They share what they search.


def test_the_size_meets_the_deadline_and_the_cautious_one_is_larger(
    job: Job, h100: Pool, calibration: Calibration
) -> None:
    found = size_pool(job, h100, calibration, 100.0)
    assert found.is_met
    assert found.best.days is not None
    assert found.best.days.nominal <= 100.0
    assert found.cautious is not None
    assert found.cautious >= found.best.pool.chips


def test_a_size_past_which_failures_take_more_is_found() -> None:
    work, pool, calibration = make_job("llama-3.1-8b", tokens="15T"), load_pool("hgx-h100"), load_calibration()
    unmet = size_pool(work, pool, calibration, 0.01)
    assert not unmet.is_met
    # Some 74,000 chips give the most: the largest that are tried take 1.2 times as long, with half of them idle.
    assert unmet.best.days is not None
    deadline = 1.01 * unmet.best.days.nominal
    found = size_pool(work, pool, calibration, deadline)
    assert found.is_met
    assert found.best.days is not None
    assert found.best.days.nominal <= deadline
    largest = found.curve.points[262_144]
    assert largest is not None and largest.days is not None
    assert largest.days.nominal > 1.15 * deadline


def test_a_shorter_deadline_takes_no_fewer_chips(job: Job, h100: Pool, calibration: Calibration) -> None:
    sizes = [size_pool(job, h100, calibration, days).best.pool.chips for days in (400.0, 200.0, 100.0)]
    assert sizes == sorted(sizes)


def test_a_budget_binds_and_says_what_it_buys(job: Job, h100: Pool, calibration: Calibration) -> None:
    free = size_pool(job, h100, calibration, 100.0)
    assert free.cost is not None
    bound = size_pool(job, h100, calibration, 100.0, budget=free.cost * 0.9)
    assert not bound.is_met
    assert bound.binding[0].startswith("the budget")
    assert size_pool(job, h100, calibration, 100.0, budget=free.cost * 1.01).is_met


def test_the_architecture_binds(job: Job, calibration: Calibration) -> None:
    found = size_pool(job, load_pool("atlas-950-superpod"), calibration, 5.0)
    assert found.binding[0].startswith("the architecture")
    assert found.binding[0].endswith("atlas-950-supercluster joins more of them")


def test_the_fastest_tried_is_the_nearest(job: Job, h100: Pool, calibration: Calibration) -> None:
    found = size_pool(job, h100, calibration, 1e-9)
    assert f"the fastest tried, {found.best.pool.chips:,} chips" in found.binding[0]


def test_bad_requests(job: Job, h100: Pool, calibration: Calibration) -> None:
    with pytest.raises(FormatError, match="--tokens"):
        size_pool(make_job("llama-3.1-70b"), h100, calibration, 60.0)
    for days in (-1.0, 1e5):
        with pytest.raises(FormatError, match="--days: expected a number of days above 0 and below 100,000"):
            size_pool(job, h100, calibration, days)
    with pytest.raises(UnknownFigureError, match="--rent"):
        size_pool(job, load_pool("atlas-950-superpod"), calibration, 100.0, budget=10.0**6)
    with pytest.raises(InfeasibleError, match="fits no number"):
        tiny = replace(load_pool("hgx-h100", 8), max_chips=8)
        size_pool(make_job("llama-3.1-405b", tokens="1T"), tiny, calibration, 60.0)
