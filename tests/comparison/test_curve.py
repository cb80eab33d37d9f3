"""Sizes of a curve are tried one after the other, or many at once elsewhere."""

from samples import travel
from tianji.catalog import load_pool, make_job
from tianji.comparison import Assumptions
from tianji.comparison.curve import Curve
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.workload import Job


def test_sizes_tried_elsewhere_give_what_they_give_here(job: Job, h100: Pool, calibration: Calibration) -> None:
    sizes = [8, 64, 256]  # 8 chips do not hold the model
    here, there = (
        Curve(job, h100, calibration, Assumptions()),
        Curve(job, h100, calibration, Assumptions(), mapper=travel),
    )
    there.at(64)
    there.fill(sizes)
    assert there.points == {n: here.at(n) for n in sizes}
    assert there.points[64] is not None


def test_the_smallest_size_is_found_behind_sizes_that_divide_badly(calibration: Calibration) -> None:
    # 432 chips divide badly and give less than 256: halving alone ends at 384.
    job = make_job("llama-3.1-8b", chips=64)
    curve = Curve(job, load_pool("atlas-900-a2", 64), calibration, Assumptions())
    target = Curve(job, load_pool("hgx-h100", 64), calibration, Assumptions()).at(64)
    assert target is not None
    found = curve.find_smallest(target.useful.nominal, 8, 8192)
    assert found is not None
    assert found.useful.nominal >= target.useful.nominal
    for n in curve.counts(8, found.pool.chips - 1):
        smaller = curve.at(n)
        assert smaller is None or smaller.useful.nominal < target.useful.nominal, n


def test_the_smallest_size_leaves_no_node_idle(calibration: Calibration) -> None:
    # 2,688 chips have small factors and are tried; the best plan on at most so many has ten stages and takes 2,560.
    job = make_job("llama-3.1-405b", chips=1024)
    curve = Curve(job, load_pool("atlas-950-superpod", 1024), calibration, Assumptions())
    large = curve.at(2688)
    assert large is not None
    found = curve.find_smallest(large.useful.nominal, 2560, 2688)
    assert found is not None
    assert found.pool.chips - found.result.plan.strategy.chips < curve.pool.node
