import pytest

from tianji.catalog import load_pool
from tianji.comparison.frugality import find_frugal
from tianji.errors import UnknownFigureError
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.workload import Job


def test_fewer_chips_make_a_cheaper_token(job: Job, h100: Pool, calibration: Calibration) -> None:
    for objective in ("cost", "energy"):
        found = find_frugal(job, h100, calibration, objective)
        assert 0 < found.chips <= h100.chips


def test_a_pool_without_a_price_has_no_cheapest_size(job: Job, calibration: Calibration) -> None:
    pool = load_pool("atlas-950-superpod", 256)
    with pytest.raises(UnknownFigureError, match="price"):
        find_frugal(job, pool, calibration, "cost")
    assert find_frugal(job, pool, calibration, "energy").chips <= 256
