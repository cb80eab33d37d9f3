import pytest

from tianji.catalog import load_calibration, load_pool, make_job
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.workload import Job


@pytest.fixture(scope="session")
def calibration() -> Calibration:
    return load_calibration("default")


@pytest.fixture(scope="session")
def job() -> Job:
    return make_job("llama-3.1-70b", 8192, 1024, tokens="15T")


@pytest.fixture(scope="session")
def h100() -> Pool:
    return load_pool("hgx-h100", 256)
