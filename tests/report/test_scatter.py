"""The figure of predicted against measured values is a well-formed picture of every point."""

from xml.etree import ElementTree

from tianji.report.scatter import draw_scatter

SVG = "{http://www.w3.org/2000/svg}"


def test_every_point_is_drawn_where_it_belongs() -> None:
    figure = draw_scatter(
        {"one": [(1.0, 1.0, "a & b"), (10.0, 100.0, "c")], "none": [(0.0, 1.0, "left out")]}, "s", "time"
    )
    root = ElementTree.fromstring(figure)
    dots = [c for c in root.iter(f"{SVG}circle") if c.find(f"{SVG}title") is not None]
    assert len(dots) == 2
    titles = [c.findtext(f"{SVG}title") for c in dots]
    assert titles == ["a & b", "c"]
    first, second = ((float(c.attrib["cx"]), float(c.attrib["cy"])) for c in dots)
    assert second[0] > first[0]
    assert second[1] < first[1]  # larger values stand higher, and y grows downwards


def test_a_figure_without_points_is_still_one() -> None:
    assert ElementTree.fromstring(draw_scatter({}, "s", "time")).tag == f"{SVG}svg"
