"""A plan file of a tiny model, for tests that run it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tianji.parallel.plan_file import write_plan

from .samples import plan_of


@pytest.fixture
def plan_file(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes the plan of a model under a strategy and returns its path."""

    def write(name: str = "llama", precision: str = "fp32", **strategy: Any) -> str:
        path = tmp_path / "plan.json"
        write_plan(plan_of(name, strategy, precision), path)
        return str(path)

    return write
