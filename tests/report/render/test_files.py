"""A view as files: whole values in CSV, a picture of each chart, and a message where a file cannot be written."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from xml.etree.ElementTree import parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.errors import InputError
from tianji.report.charts import (
    BarChart,
    ChartBar,
    ChartPoint,
    ChartSeries,
    ChartSwing,
    CurveChart,
    ScatterChart,
    SwingChart,
)
from tianji.report.render.csv import write_csv
from tianji.report.render.files import find_folder, write_page, write_plots, write_tables
from tianji.report.render.svg.scatter import axis_ends
from tianji.report.view import Number, View, ViewColumn, ViewSection, ViewTable

CHARTS = (
    BarChart("bars", "Bars", "s", (ChartBar("one", (("a", 1.0), ("b", 2.0)), "3 s", 2.0, 4.0),), (5.0, "limit")),
    SwingChart("swings", "Swings", "times", (ChartSwing("rent", 0.5, 2.0, "low", "high"),), (1.0, "now"), (1.5, "flip")),
    CurveChart(
        "curves", "Curves", "x", "y", (ChartSeries("s", (ChartPoint(8, 1.0, "p", 0.5, 2.0),)),), is_log=True,
        marks=((0, 8, "knee"),), level=(1.0, "needed"), note="A note.",
    ),
    ScatterChart("points", "Points", "x", "y", (ChartSeries("s", (ChartPoint(1.0, 2.0, "p"),), is_line=False),), 0.18),
)  # fmt: skip
finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(st.text(), finite, finite, finite), min_size=1))
def test_a_table_comes_back_from_its_file(rows: list[tuple[str, float, float, float]]) -> None:
    columns = (ViewColumn("name"), ViewColumn("time", "s", is_ranged=True))
    cells = tuple((name, Number(value, "about", low, high, "span")) for name, value, low, high in rows)
    text = write_csv(ViewTable("t", "", columns, cells))
    head, *lines = csv.reader(io.StringIO(text, newline=""))
    assert head == ["name", "time (s)", "time, low (s)", "time, high (s)"]
    # A bare carriage return is the one thing that a reader of CSV takes for the end of a line.
    if not any("\r" in name for name, *_ in rows):
        assert [(name, *map(float, numbers)) for name, *numbers in lines] == rows


def test_words_in_a_ranged_column_have_no_ends() -> None:
    table = ViewTable("t", "", (ViewColumn("price", "USD", is_ranged=True),), (("not published",), (Number(1.0, "1"),)))
    assert write_csv(table).splitlines()[1:] == ["not published,,", "1.0,,"]


def test_every_chart_is_drawn_as_svg_and_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert write_plots(CHARTS, str(tmp_path / "plots")).endswith("as SVG and PNG.")
    for chart in CHARTS:
        root = parse(tmp_path / "plots" / f"{chart.name}.svg").getroot()
        assert root.findtext("{http://www.w3.org/2000/svg}title") == chart.title
        assert (tmp_path / "plots" / f"{chart.name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_page_and_its_tables_go_where_they_were_sent(tmp_path: Path) -> None:
    table = ViewTable("t", "", (ViewColumn("name"),), (("one",),))
    view = View("Title", (), (), (ViewSection("s", (table,)),))
    page = tmp_path / "page.html"
    assert str(page) in write_page(view, str(page), "tianji plan")
    assert "tianji plan" in page.read_text()
    assert write_tables(view.tables(), str(tmp_path / "new" / "tables")).startswith("1 table")
    assert (tmp_path / "new" / "tables" / "t.csv").read_text() == "name\none\n"


@pytest.mark.parametrize("name", ["", "a\0b", "file"])
def test_what_is_no_folder_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected the name of a folder"):
        find_folder(str(tmp_path / name) if name == "file" else name)


def test_without_a_plot_nothing_is_made_and_one_is_no_plural(tmp_path: Path) -> None:
    assert "no plot" in write_plots((), str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
    assert write_plots(CHARTS[:1], str(tmp_path / "one")).startswith("1 plot is in")


@pytest.mark.parametrize(
    ("values", "ends"), [((12.0, 17.0), (10.0, 20.0)), ((0.3, 40.0), (0.2, 50.0)), ((), (1.0, 2.0))]
)
def test_axes_end_at_the_round_numbers_around_the_points(values: tuple[float, ...], ends: tuple[float, float]) -> None:
    points = tuple(ChartPoint(v, v, "p") for v in values)
    assert axis_ends(ScatterChart("p", "P", "x", "y", (ChartSeries("s", points, is_line=False),), 0.1)) == ends
