"""A schedule is one file: what it says holds for every pipeline, and every room knows it by its name."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.parallel.grid import Grid
from tianji.parallel.legality import RULES
from tianji.parallel.schedules import SCHEDULES, PipelineSchedule
from tianji.parallel.strategy import CHOICES, Strategy

EACH = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=lambda s: s.name)
COUNT = st.integers(1, 512)


def values(*numbers: int) -> list[np.ndarray]:
    return [np.asarray([n]) for n in numbers]


def test_a_strategy_takes_every_schedule_and_no_other() -> None:
    assert CHOICES["schedule"] == tuple(SCHEDULES)
    assert Strategy().schedule in SCHEDULES


@EACH
@given(p=st.integers(1, 64), v=st.integers(1, 16), m=COUNT, data=st.data())
def test_a_stage_holds_at_least_the_micro_batch_at_work_and_at_most_all(
    schedule: PipelineSchedule, p: int, v: int, m: int, data: st.DataObject
) -> None:
    v = v if schedule.is_chunked else 1
    place = data.draw(st.integers(0, p - 1))
    (held,) = schedule.in_flight(*values(p, v, m, place))
    assert 1 / v <= held <= m
    (last,) = schedule.in_flight(*values(p, v, m, p - 1))
    assert held >= last, "the last stage waits for no stage behind it"


@EACH
@given(p=st.integers(1, 64), v=st.integers(1, 16))
def test_a_schedule_waits_for_no_more_than_gpipe_and_fills_no_more_than_there_is(
    schedule: PipelineSchedule, p: int, v: int
) -> None:
    waits = schedule.waits(*values(p, v if schedule.is_chunked else 1))
    shares = [np.max(getattr(waits, part)) for part in ("work", "sends", "gathers")]
    assert all(0.0 <= share <= 1.0 for share in shares)
    # Of equal stages with W = B / 2 and F = W, and nothing but gaps of weight gradients to fill.
    forward, backward, weight = 1.0, 2.0, 1.0
    bubble = waits.work * (forward + backward) + waits.backward * backward - waits.weight * weight
    assert 0.0 <= np.min(bubble) <= np.max(bubble) <= forward + backward


@EACH
def test_a_schedule_names_its_source_and_its_rules_are_rules(schedule: PipelineSchedule) -> None:
    assert schedule.source
    assert {rule.name for rule in schedule.rules} <= {rule.name for rule in RULES}
    for rule in schedule.rules:
        assert str(3) in rule.reason(3)


def test_a_grid_takes_from_each_schedule_its_own() -> None:
    g = Grid.of(*(Strategy(schedule=name) for name in SCHEDULES))
    assert g.by_schedule(lambda schedule: schedule.year).tolist() == [s.year for s in SCHEDULES.values()]


def test_the_names_of_schedules_load_no_numpy() -> None:
    code = "import sys, tianji.parallel.schedules; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
