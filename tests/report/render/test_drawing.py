"""Drawings: bars and points stand where their values say, and every drawing is a document that says what it shows."""

from xml.etree.ElementTree import Element, fromstring

import pytest

from tianji.report.charts import (
    BarChart,
    Chart,
    ChartBar,
    ChartPoint,
    ChartSeries,
    ChartSwing,
    CurveChart,
    ScatterChart,
    SwingChart,
)
from tianji.report.render.markup import to_xml
from tianji.report.render.svg.canvas import Scale, even_ticks, log_ticks
from tianji.report.render.svg.drawing import NARROW, WIDE, draw_chart

SVG = "{http://www.w3.org/2000/svg}"
BARS = BarChart(
    "b",
    "BarChart",
    "s",
    (ChartBar("one & only", (("a", 10.0), ("b", 10.0)), "20", 15.0, 30.0), ChartBar("two", (("a", 40.0),), "40")),
    limit=(50.0, "the limit"),
)
SWINGS = SwingChart(
    "s", "SwingChart", "times", (ChartSwing("rent", 0.5, 2.0, "low", "high"),), (1.0, "now"), (1.5, "flip")
)
CURVES = CurveChart(
    "c",
    "CurveChart",
    "chips",
    "tokens/s",
    (
        ChartSeries("first", (ChartPoint(8, 1.0, "p", 0.5, 2.0), ChartPoint(64, 4.0, "q", 3.0, 5.0))),
        ChartSeries("other", (ChartPoint(16, 2.0, "r"),)),
    ),
    is_log=True,
    marks=((0, 32, "knee"),),
    level=(3.0, "needed"),
)
SCATTER = ScatterChart(
    "p",
    "Points",
    "measured, s",
    "predicted, s",
    (
        ChartSeries(
            "chip", (ChartPoint(1.0, 1.0, "on"), ChartPoint(10.0, 100.0, "off"), ChartPoint(0.0, 1.0, "left out"))
        ),
    ),
    0.18,
)
CHARTS = [BARS, SWINGS, CURVES, SCATTER]


def drawn(chart: Chart, width: int = WIDE) -> Element:
    return fromstring(to_xml(draw_chart(chart, width, alone=True)))


def shapes(root: Element, name: str, text: str) -> list[Element]:
    """Return the elements of a kind whose title begins so."""
    return [e for e in root.iter(SVG + name) if (e.findtext(f"{SVG}title") or "").startswith(text)]


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_a_drawing_says_what_it_shows(chart: Chart, width: int) -> None:
    root = drawn(chart, width)
    assert root.findtext(f"{SVG}title") == chart.title
    assert root.findtext(f"{SVG}desc")
    assert root.attrib["role"] == "img"
    ids = {e.attrib["id"] for e in root.iter() if "id" in e.attrib}
    assert set(root.attrib["aria-labelledby"].split()) == ids
    assert root.attrib["viewBox"].split()[2] == str(width)


def test_bars_are_as_long_as_their_values() -> None:
    root = drawn(BARS)
    first, second = shapes(root, "rect", "one & only")
    (whole,) = shapes(root, "rect", "two")
    lengths = [float(e.attrib["width"]) for e in (first, second, whole)]
    assert lengths[0] == pytest.approx(lengths[1], abs=0.02)
    assert lengths[2] == pytest.approx(4 * lengths[0], abs=0.05)
    assert float(second.attrib["x"]) == pytest.approx(float(first.attrib["x"]) + lengths[0], abs=0.02)


def test_swings_reach_from_the_base_to_both_ends() -> None:
    low, high = shapes(drawn(SWINGS), "rect", "rent")
    assert float(low.attrib["x"]) + float(low.attrib["width"]) == pytest.approx(float(high.attrib["x"]), abs=0.02)
    assert float(high.attrib["width"]) == pytest.approx(2 * float(low.attrib["width"]), abs=0.05)


def test_no_line_is_drawn_over_a_number() -> None:
    order = [e.attrib.get("class") for e in drawn(SWINGS) if e.tag != f"{SVG}rect"]
    assert order.index("mark") < len(order) - 2
    assert order[-2:] == ["halo", "halo"]


@pytest.mark.parametrize(("count", "markers"), [(1, 1), (60, 60), (61, 12), (1000, 12)])
def test_a_long_line_is_not_hidden_below_its_markers(count: int, markers: int) -> None:
    points = tuple(ChartPoint(float(i), float(i), f"p{i}", stands_out=i == 7) for i in range(count))
    root = drawn(CurveChart("c", "t", "x", "y", (ChartSeries("s", points),)))
    assert len(shapes(root, "path", "p")) in (markers - 1, markers, markers + (count > 60))
    assert count < 8 or shapes(root, "path", "p7")


def test_both_ends_on_one_side_keep_their_texts_apart() -> None:
    both = SwingChart(
        "s",
        "t",
        "times",
        (ChartSwing("links", 1.2, 1.1, "worse", "better"), ChartSwing("rent", 0.5, 2.0, "a", "b")),
        (1.3, "now"),
    )
    texts = {t.text: t for t in drawn(both).iter(f"{SVG}text")}
    assert texts["better"].attrib["text-anchor"] == "end"
    assert texts["worse"].attrib["text-anchor"] == "start"
    assert float(texts["better"].attrib["x"]) < float(texts["worse"].attrib["x"])


def test_points_on_a_logarithmic_axis_stand_apart_by_their_ratio() -> None:
    root = drawn(CURVES)
    x8, x16, x64 = (float(shapes(root, "path", name)[0].attrib["d"][1:].split()[0]) for name in ("p", "r", "q"))
    assert x64 - x8 == pytest.approx(3 * (x16 - x8), abs=0.5)


def test_the_scatter_leaves_out_what_has_no_logarithm() -> None:
    root = drawn(SCATTER)
    assert shapes(root, "path", "on")
    assert shapes(root, "path", "off")
    assert not shapes(root, "path", "left out")


def test_a_chart_of_nothing_is_still_one() -> None:
    for chart in (BarChart("b", "t", "s", ()), SwingChart("s", "t", "x", (), (0.0, "")), CurveChart("c", "t", "x", "y", ()),
                  ScatterChart("p", "t", "x", "y", (), 0.1)):  # fmt: skip
        assert drawn(chart).tag == f"{SVG}svg"


def test_scales_and_ticks() -> None:
    assert Scale(1.0, 100.0, 0.0, 10.0, is_log=True).at(10.0) == pytest.approx(5.0)
    assert Scale(0.0, 10.0, 100.0, 0.0).at(2.5) == pytest.approx(75.0)
    assert even_ticks(0.3, 0.9, 4) == pytest.approx([0.4, 0.6, 0.8])
    assert log_ticks(64, 64, 5) == [64.0]
