"""Tables of one result: every term, every stage, whatever the width."""

import re

import pytest

from tianji.report.result_tables import MOST_ROWS, breakdown_table, memory_table, summary
from tianji.result import Result
from tianji.units import GB

from .conftest import printed


def test_the_shown_seconds_add_up_to_the_step(deep: Result) -> None:
    seconds = [float(found) for found in re.findall(r" (\d+\.\d{6}) ", printed(breakdown_table(deep, 80)))]
    *terms, step = seconds
    assert sum(terms) == pytest.approx(step, abs=len(terms) * 1e-6)
    assert step == pytest.approx(deep.step_time.nominal, abs=1e-6)


@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_tables_fit_and_cut_nothing_off(deep: Result, width: int) -> None:
    for item in (summary(deep), breakdown_table(deep, width), memory_table(deep, width)):
        text = printed(item, width)
        assert max(map(len, text.splitlines())) <= width
        assert "…" not in text


def test_the_fullest_stage_is_shown_and_long_pipelines_are_thinned(deep: Result) -> None:
    text = printed(memory_table(deep, 140), 140)
    rows = re.findall(r"^(\d+)(?:-\d+)? ", text, flags=re.MULTILINE)
    assert str(deep.worst_stage) in rows
    assert {"0", "15"} <= set(rows)
    assert len(rows) <= MOST_ROWS
    ends = [(int(a), int(b or a)) for a, b in re.findall(r"^(\d+)(?:-(\d+))? ", text, flags=re.MULTILINE)]
    shown = sum(last - first + 1 for first, last in ends)
    assert (f"shown: {shown} of {len(deep.stages)} stages" in text) == (shown < len(deep.stages))


def test_totals_and_rests_are_those_of_the_result(deep: Result) -> None:
    text = printed(memory_table(deep, 140), 140)
    assert f"{deep.memory_total / GB:.1f}" in text
    assert f"{(deep.memory_limit - deep.memory_total) / GB:.1f}" in text


def test_narrow_tables_put_small_parts_together(deep: Result) -> None:
    assert "other: " in printed(memory_table(deep, 60), 100)
    assert "other" not in printed(memory_table(deep, 200), 200)
