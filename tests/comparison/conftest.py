"""What all tests of the room share. Sizes of the same job are searched again and again: each is searched once."""

from collections.abc import Iterator

import pytest

from remembering import remember_searches
from tianji.catalog import load_calibration, load_pool, make_job
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.workload import Job


@pytest.fixture(autouse=True, scope="module")
def remembered(request: pytest.FixtureRequest) -> Iterator[None]:
    """Make each search once, but where searches here and elsewhere are compared."""
    with pytest.MonkeyPatch.context() as patch:
        if request.node.name != "test_curve.py":
            remember_searches(patch)
        yield


@pytest.fixture(scope="session")
def calibration() -> Calibration:
    return load_calibration("default")


@pytest.fixture(scope="session")
def job() -> Job:
    return make_job("llama-3.1-70b", 8192, 1024, tokens="15T")


@pytest.fixture(scope="session")
def h100() -> Pool:
    return load_pool("hgx-h100", 256)
