"""What is drawn of pools side by side: a pool keeps its colour in each chart, also where it has no bar in one."""

import json
from typing import Any

import pytest

import tianji
from tianji.report.charts import BarChart
from tianji.report.present import view_of
from tianji.report.view import View

POOLS = ("16xhgx-h100", "16xatlas-950-superpod", "16xatlas-900-a2")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The second pool has no published price, and so no bar in the chart of costs."""
    answer = tianji.compare("llama-3.1-8b", *POOLS, batch=64, tokens="1T")
    return dict(json.loads(json.dumps(answer.document)))


@pytest.fixture(scope="module")
def view(document: dict[str, Any]) -> View:
    return view_of(document)


def test_colours_stay_where_a_bar_is_missing(view: View) -> None:
    charts = {chart.name: chart for chart in view.charts() if isinstance(chart, BarChart)}
    names = [chart.names for name, chart in charts.items() if name in ("days", "cost", "power", "carbon")]
    assert len(names) == 4 and len(set(names)) == 1
    cost = charts["cost"]
    lacking = cost.bars[1]
    assert lacking.total == 0 and lacking.text == "not known"
    assert cost.names.index(cost.bars[2].label) == 2


def test_what_is_bought_is_said_beside_the_money(document: dict[str, Any]) -> None:
    amounts = document["bottom_line"]["amounts"]
    assert "1 unit of 8,192 chips, 99 % of it free" in amounts or "100 % of it free" in amounts
    assert "smaller: 1 × 1,024 chips of atlas-950-superpod-1024 with another chip" in amounts
