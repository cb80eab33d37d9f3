"""Answers do not hang on how many points of a curve are drawn."""

import pytest

from tianji.catalog import load_calibration, load_pool, make_job
from tianji.comparison.replacement import replace_pool
from tianji.comparison.sizing import size_pool
from tianji.units import TERA

pytestmark = pytest.mark.xdist_group("comparison")  # They share what they search.


@pytest.fixture(scope="module")
def brackets() -> list[tuple[float | None, float, float | None]]:
    task = make_job("llama-3.1-8b", global_batch_size=60)
    first, other = (task, load_pool("hgx-h100", 24)), (task, load_pool("atlas-900-a2"))
    return [replace_pool(first, other, load_calibration(), points=points).chips for points in (3, 17)]


def test_brackets_of_a_replacement_do_not_move_with_points(
    brackets: list[tuple[float | None, float, float | None]],
) -> None:
    assert brackets[0] == brackets[1]


def test_a_size_does_not_move_with_points() -> None:
    task = make_job("llama-3.1-8b", global_batch_size=256, tokens=1 * TERA)
    sizes = [size_pool(task, load_pool("hgx-h100"), load_calibration(), 60.0, points=points) for points in (3, 17)]
    assert sizes[0].best.pool.chips == sizes[1].best.pool.chips
    assert sizes[0].cautious == sizes[1].cautious
