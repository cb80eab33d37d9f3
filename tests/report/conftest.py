"""One small job on one small pool, searched once for all tests of the room."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from remembering import remember_searches
from tianji.catalog import load_pool, make_job
from tianji.hardware.calibration import Calibration
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import Strategy
from tianji.prediction import predict
from tianji.result import Result
from tianji.search import Outcome, plan

PHYSICS = Calibration()


@pytest.fixture(autouse=True, scope="module")
def remembered() -> Iterator[None]:
    """Make each search once."""
    with pytest.MonkeyPatch.context() as patch:
        remember_searches(patch)
        yield


@pytest.fixture(scope="session")
def outcome() -> Outcome:
    return plan(make_job("llama-3.1-8b", 4096, 64, "1T"), load_pool("hgx-h100", 16), PHYSICS)


@pytest.fixture(scope="session")
def deep() -> Result:
    """A plan of sixteen unlike stages."""
    job = make_job("llama-3.1-70b", 4096, 64)
    strategy = Strategy(tp=8, pp=16, dp=1)
    return predict(Plan(job, load_pool("hgx-h100", 128), strategy), PHYSICS)


def printed(item: object, width: int = 100) -> str:
    """Return what a terminal of a width would show, without colour."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(item)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def console_of(width: int) -> Console:
    """Return a console that keeps what is printed on it."""
    return Console(file=io.StringIO(), width=width, record=True, color_system=None)
