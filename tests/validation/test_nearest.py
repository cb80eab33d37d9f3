"""The nearest published runs: a published run is its own nearest, and what sets others apart is named."""

from dataclasses import replace

import pytest

import tianji
from tianji.catalog import load_calibration
from tianji.validation import read_runs
from tianji.validation.nearest import FARTHEST, MOST, find_nearest


@pytest.mark.parametrize("place", [0, 40, 200, 400])
def test_a_published_run_is_its_own_nearest(place: int) -> None:
    rows, _ = read_runs(split="check", quality="A")
    row = rows[place % len(rows)]
    near = find_nearest(row.setup.plan, load_calibration())
    same = [n for n in near if not n.differs]
    assert near[0].distance == 0
    assert near[0] in same
    assert near[0].prediction.row.pool.chip == row.pool.chip


def test_the_nearest_stand_first_and_say_what_differs() -> None:
    plan = tianji.predict("llama-3.1-70b", "hgx-h100", chips=64, batch=128, tp=8, pp=4).plan
    near = find_nearest(plan, load_calibration())
    assert len(near) <= MOST
    distances = [n.distance for n in near]
    assert distances == sorted(distances)
    assert max(distances) <= FARTHEST
    assert all(n.differs for n in near if n.distance)


def test_twice_the_batch_is_half_a_doubling_farther() -> None:
    rows, _ = read_runs(split="check", quality="A")
    plan = rows[0].setup.plan
    more = replace(plan, job=replace(plan.job, global_batch_size=2 * plan.job.global_batch_size))
    apart = {n.prediction.row.id: n.distance for n in find_nearest(more, load_calibration())}
    assert min(apart.values()) <= 0.5


@pytest.mark.parametrize(("task", "shown"), [("lora", {"lora"}), ("sft", {"sft"}), ("reward", {"pretrain"})])
def test_beside_a_task_stand_runs_of_the_same_task_where_there_are_any(task: str, shown: set[str]) -> None:
    plan = tianji.predict("llama-3.1-70b", "gb300-nvl72", chips=8, batch=32, tp=2, pp=4, task=task).plan
    near = find_nearest(plan, load_calibration())
    own = {n.prediction.row.job.task.name if n.prediction.row.job.task.is_frozen else n.prediction.row.id for n in near}
    assert near
    said = {d for n in near for d in n.differs if d.startswith("task ")}
    assert said == ({"task pretrain"} if task == "reward" else set())
    if task == "lora":
        assert own == shown
