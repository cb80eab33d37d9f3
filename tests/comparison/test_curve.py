"""Sizes of a curve are tried one after the other, or many at once elsewhere."""

from samples import travel
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
