"""A view as a page: sections in their order, numbers with their values, and names that stay text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from tianji.report.charts import BarChart, ChartBar
from tianji.report.render.html.page import ASKED, in_page_order, write_html
from tianji.report.view import Facts, Highlight, Number, Publications, View, ViewColumn, ViewSection, ViewTable

from ..reading import read, read_heads, read_tables

TABLE = ViewTable("t", "", (ViewColumn("name"), ViewColumn("time", "s", is_ranged=True)),
                  (("one", Number(1.25, "1.25 s", 1.0, 2.0, "1 s to 2 s")), ("two", "unknown")), best=0)  # fmt: skip
CHART = BarChart("bars", "Bars", "s", (ChartBar("one", (("a", 1.0),), "1 s"),))
VIEW = View(
    "Title",
    ("Lead.",),
    (Highlight("speed", Number(3.0, "3 m/s", 2.0, 4.0, "2 m/s to 4 m/s"), "on foot"),),
    (
        ViewSection("Basis", (Publications((("KEY", "Paper", "https://example.org/a", "paper"),)),), is_detail=True),
        ViewSection("Answer", ("A paragraph.", CHART, TABLE)),
    ),
    Facts((("Job", "small"),)),
)


class Outline(HTMLParser):
    """Collects which elements stand in which, and what is never closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.is_heading = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.is_heading = tag == "h2"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.is_heading:
            self.headings.append(data)
            self.is_heading = False


def outline(html: str) -> Outline:
    parser = Outline()
    parser.feed(html)
    return parser


def test_the_answer_comes_first_then_the_question_then_the_details() -> None:
    assert [section.title for section in in_page_order(VIEW)] == ["Answer", ASKED, "Basis"]
    parser = outline(write_html(VIEW))
    assert parser.headings == ["Answer", ASKED, "Basis"]
    assert parser.open == []


def test_numbers_carry_their_values_and_ranges_their_words() -> None:
    html = write_html(VIEW)
    assert read(html).values == [3.0, 1.25]
    ((first, second),) = read_tables(html)
    assert [(cell.text, cell.value) for cell in first] == [("one", None), ("1.25 s (1 s to 2 s)", 1.25)]
    assert second[1].text == "unknown"
    assert read_heads(html) == [["name", "time"]]
    for text in ("2 m/s to 4 m/s", "on foot", "A paragraph.", "small"):
        assert text in html


def test_every_chart_is_drawn_wide_and_narrow_with_words_for_a_screen_reader() -> None:
    html = write_html(VIEW)
    assert html.count("<svg") == 2
    assert re.findall(r'<div class="(wide|narrow)"><svg', html) == ["wide", "narrow"]
    assert html.count('role="img"') == 2
    # A table without a title of its own is named by its section.
    assert 'aria-label="Answer"' in html


def test_only_addresses_of_the_web_are_links() -> None:
    rows = (("A", "paper", "https://example.org/a", ""), ("B", "file", "javascript:alert(1)", ""))
    html = write_html(View("t", (), (), (ViewSection("s", (Publications(rows),)),)))
    assert re.findall(r'href="([^#"]+)"', html) == ["https://example.org/a"]


@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_a_user_names_stays_text(name: str, other: str) -> None:
    evil = f"<script>{name}</script>&{other}"
    table = ViewTable("t", evil, (ViewColumn(evil),), ((evil,), (Number(1.0, evil, 0.0, 2.0, evil),)), evil)
    html = write_html(
        View(evil, (evil,), (Highlight(evil, Number(1.0, evil), evil),), (ViewSection(evil, (evil, table)),))
    )
    tags = {tag for tag, _ in read(html).tags}
    assert not tags & {"script", "img"}
    assert outline(html).open == []
