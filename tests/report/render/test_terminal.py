"""A view on a terminal: it fits any width, cuts nothing off, and says what it leaves out."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tianji.report.documents.plan import plan_document
from tianji.report.documents.prediction import prediction_document
from tianji.report.render.terminal import bar, draw_table, print_view, shown_rows
from tianji.report.view import Facts, Highlight, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.plan import plan_view
from tianji.report.views.plan_result import memory_table
from tianji.report.views.prediction import prediction_view
from tianji.result import Result
from tianji.search import Outcome

from ..conftest import PHYSICS, printed

words = st.text(st.characters(categories=["Ll", "Lu", "Nd"], max_codepoint=127), min_size=1, max_size=12)
numbers = st.builds(
    lambda value, is_ranged: Number(value, f"{value:.3g} s", value - 1, value + 1, "low to high" if is_ranged else ""),
    st.floats(-1e6, 1e6), st.booleans(),
)  # fmt: skip


def shown(view: View, width: int, *, every_row: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, record=True, color_system=None)
    print_view(console, view, every_row=every_row)
    return console.export_text()


@st.composite
def tables(draw: st.DrawFn) -> ViewTable:
    width = draw(st.integers(1, 6))
    kinds = [draw(st.booleans()) for _ in range(width)]
    cell = [numbers if is_number else st.lists(words, min_size=1, max_size=5).map(" ".join) for is_number in kinds]
    rows = draw(st.lists(st.tuples(*cell), min_size=1, max_size=9))
    columns = tuple(ViewColumn(draw(words), rank=draw(st.integers(0, 3)) if i else 0) for i in range(width))
    with_bars = st.sampled_from([None, *(i for i, is_number in enumerate(kinds) if is_number)])
    return ViewTable(
        "t", "", columns, tuple(rows), most=draw(st.none() | st.integers(2, 5)), bar=draw(with_bars),
        thinning=draw(st.sampled_from(["first", "even"])), best=draw(st.none() | st.integers(0, len(rows) - 1)),
    )  # fmt: skip


@given(tables(), st.integers(60, 160))
def test_a_table_fits_the_width_and_shows_whole_cells_or_says_what_it_leaves_out(table: ViewTable, width: int) -> None:
    text = printed(draw_table(table, width), width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    lost = text.split("no room for: ")[1].replace("\n", " ") if "no room for: " in text else ""
    for row in shown_rows(table):
        for column, cell in zip(table.columns, table.rows[row], strict=True):
            for piece in (cell.text, cell.span) if isinstance(cell, Number) else cell.split():
                assert piece in text or column.title in lost
    if len(shown_rows(table)) < len(table.rows):
        assert f"{len(shown_rows(table))} of {len(table.rows)} rows" in text


@pytest.mark.parametrize("width", range(78, 84))
def test_no_letter_is_lost_where_texts_fill_the_last_column(width: int) -> None:
    columns = tuple(ViewColumn(title) for title in ("step", "occurrences here", "first places", "what happens"))
    text = "requirements; a later pip install of triton over triton-ascend; torch.cuda.*rng_state, map_location"
    row = ("host synchronisation of checkpoints", Number(16.0, "16"), "bench.py:17, bench.py:18, bench.py:28", text)
    drawn = printed(draw_table(ViewTable("t", "", columns, (row,)), width), width)
    assert not [word for word in text.split() if word not in drawn]


@given(tables())
def test_thinned_rows_keep_the_order_and_the_best(table: ViewTable) -> None:
    places = shown_rows(table)
    assert places == sorted(set(places))
    assert shown_rows(table, every_row=True) == list(range(len(table.rows)))
    if table.thinning == "even":
        assert {0, len(table.rows) - 1} <= set(places)
        assert table.best is None or table.best in places


@given(st.floats(-1, 2), st.integers(1, 60))
def test_a_bar_stays_inside_its_width(share: float, width: int) -> None:
    assert len(bar(share, width)) <= width


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_has_no_shorter_bar(one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert len(bar(small, 24)) <= len(bar(large, 24))


@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_a_deep_pipeline_fits_and_cuts_nothing_off(deep: Result, width: int) -> None:
    text = shown(prediction_view(prediction_document(deep, PHYSICS)), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert f"stage {deep.worst_stage}" in text or "stages" in text


def test_on_a_narrow_terminal_a_table_goes_on_below_with_the_name_of_each_row(deep: Result) -> None:
    table = memory_table(prediction_document(deep, PHYSICS)["plans"][0])
    narrow, wide = (printed(draw_table(table, width), width) for width in (60, 200))
    for text in (narrow, wide):
        assert "no room for" not in text
        assert all(column.title in text for column in table.columns)
    first = table.columns[0].title
    assert sum(line.startswith(first) for line in narrow.splitlines()) > 1
    assert sum(line.startswith(first) for line in wide.splitlines()) == 1


@pytest.mark.parametrize("explained", [False, True])
def test_a_search_has_all_its_sections(outcome: Outcome, explained: bool) -> None:
    document = plan_document(outcome, PHYSICS, explained=outcome.results[2] if explained else None)
    text = shown(plan_view(document), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "What binds plan 1" in text
    assert ("Your layout against plan 1" in text) is explained
    assert f"{len(outcome.front)} rows" in text
    assert "rows;" not in shown(plan_view(document), 80, every_row=True)


def test_details_are_left_to_the_page() -> None:
    section = ViewSection("Detail", (Facts((("a", "b"),)),), is_detail=True)
    view = View("Title", ("Lead.",), (Highlight("speed", Number(1.0, "1 m/s"), "on foot"),), (section,))
    text = shown(view, 80)
    assert "Title" in text and "Lead." in text and "1 m/s" in text and "on foot" in text
    assert "Detail" not in text


@pytest.mark.parametrize("width", [80, 100])
def test_a_column_that_stays_at_any_width_is_folded_before_it_goes(width: int) -> None:
    long = "a/very/long/path/without/a/blank/" * 3
    columns = (ViewColumn("place"), ViewColumn("symbol"), ViewColumn("answer"), ViewColumn("source", rank=4))
    table = ViewTable("t", "", columns, ((long, long.replace("/", "."), "use the other", long),))
    text = printed(draw_table(table, width), width)
    assert "no room for" not in text or "no room for: source" in text
    for word in ("use", "the", "other", "answer"):
        assert word in text
