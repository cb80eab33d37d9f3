"""One plan in a view: its terms add up, its memory is whole, and each number is one of its document."""

from __future__ import annotations

import pytest

from tianji.catalog import load_calibration, load_pool, make_job
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import Strategy
from tianji.prediction import predict
from tianji.report.documents.plan_result import FullPlanResultDocument, full_plan_result_document
from tianji.report.view import Number
from tianji.report.views.breakdown import breakdown_chart, breakdown_table
from tianji.report.views.plan_result import (
    MOST_BARS,
    highlights,
    memory_chart,
    memory_table,
    plan_lead,
    stage_runs,
)
from tianji.result import Result
from tianji.units import GB


@pytest.fixture(scope="module")
def plan(deep: Result) -> FullPlanResultDocument:
    return full_plan_result_document(deep)


def value(cell: object) -> float:
    assert isinstance(cell, Number)
    return cell.value


def test_the_terms_add_up_to_the_step_in_table_and_chart(plan: FullPlanResultDocument) -> None:
    *terms, total = breakdown_table(plan["breakdown_s"]).rows
    assert sum(value(row[1]) for row in terms) == pytest.approx(plan["step_time_s"])
    assert sum(value(row[2]) for row in terms) == pytest.approx(1.0)
    assert (value(total[1]), value(total[2])) == (pytest.approx(plan["step_time_s"]), 1.0)
    assert [value(row[1]) for row in terms] == sorted((value(row[1]) for row in terms), reverse=True)
    assert [bar.total for bar in breakdown_chart(plan["breakdown_s"], "t").bars] == [value(row[1]) for row in terms]


def test_every_stage_is_in_the_memory_table_with_what_is_left(plan: FullPlanResultDocument) -> None:
    table = memory_table(plan)
    runs = stage_runs(plan)
    assert sum(_stages(label) for label, _ in runs) == len(plan["memory_stages_bytes"])
    for row, (_, parts) in zip(table.rows, runs, strict=True):
        *each, total, left = map(value, row[1:])
        assert sum(each) == pytest.approx(total)
        assert total == pytest.approx(sum(parts.values()))
        assert left == pytest.approx(plan["memory_limit_bytes"] - total)
    assert table.best is not None
    assert value(table.rows[table.best][-2]) == pytest.approx(plan["memory_total_bytes"])


def _stages(label: str) -> int:
    first, _, last = label.split(" ", 1)[1].partition(" to ")
    return int(last or first) - int(first) + 1


def test_the_columns_that_go_first_are_the_smallest_parts(plan: FullPlanResultDocument) -> None:
    table = memory_table(plan)
    peaks = [max(value(row[place]) for row in table.rows) for place in range(1, len(table.columns) - 2)]
    ranks = [column.rank for column in table.columns[1:-2]]
    assert [peak for _, peak in sorted(zip(ranks, peaks, strict=True))] == sorted(peaks, reverse=True)
    assert [column.rank for column in (table.columns[0], *table.columns[-2:])] == [0, 0, 0]


def test_a_long_pipeline_is_drawn_in_part_with_its_fullest_stage(plan: FullPlanResultDocument) -> None:
    chart, runs = memory_chart(plan), stage_runs(plan)
    totals = [bar.total * GB for bar in chart.bars]
    assert max(totals) == pytest.approx(plan["memory_total_bytes"])
    assert (len(runs) > MOST_BARS) == ("the table has all" in chart.note)
    assert len(chart.bars) <= MOST_BARS + 1


def test_highlights_are_numbers_of_the_document(plan: FullPlanResultDocument) -> None:
    shown = {h.label: h.number for h in highlights(plan, "bf16")}
    assert shown["step time"].value == plan["step_time_s"]
    assert shown["tokens/s"].value == plan["tokens_per_s"]
    assert shown["MFU"].value == plan["mfu"]
    assert shown["memory of the fullest chip"].value == plan["memory_total_bytes"]
    assert "days without failures" not in shown


def test_the_range_of_the_speed_is_that_of_the_step() -> None:
    job = make_job("llama-3.1-8b", 4096, 64, "1T")
    result = predict(Plan(job, load_pool("hgx-h100", 16), Strategy(tp=8, dp=2)), load_calibration())
    plan = full_plan_result_document(result)
    shown = {h.label: h.number for h in highlights(plan, "bf16")}
    speed, step = shown["tokens/s"], shown["step time"]
    assert speed.low is not None and speed.high is not None and step.low is not None and step.high is not None
    assert speed.low * step.high == pytest.approx(job.tokens_per_step)
    assert speed.high * step.low == pytest.approx(job.tokens_per_step)
    assert shown["days without failures"].value == plan["days"]


def test_a_plan_that_does_not_fit_or_leaves_chips_idle_says_so_first(plan: FullPlanResultDocument) -> None:
    assert not [text for text in plan_lead(plan, plan["chips"]) if "idle" in text or "not fit" in text]
    changed: FullPlanResultDocument = {**plan, "fits": False, "memory_total_bytes": 2 * plan["memory_limit_bytes"]}
    lead = " ".join(plan_lead(changed, plan["chips"] + 8))
    assert "8 of 136 chips stand idle" in lead
    assert "It does not fit" in lead
