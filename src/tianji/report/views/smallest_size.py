"""What is shown of the smallest numbers of chips."""

from __future__ import annotations

from collections.abc import Iterator

from tianji.formatting import count_noun, format_percent
from tianji.report.documents.smallest_size import SizeDocument, SmallestDocument, SmallestSizeDocument
from tianji.report.view import Cell, Facts, Highlight, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of, share_of, size_of, time_of
from tianji.report.views.request_summary import bottom_lines, describe_model

HEAD = (
    ViewColumn("chips"), ViewColumn("layout"), ViewColumn("step", "s"), ViewColumn("tokens/s", rank=1),
    ViewColumn("memory", "bytes"), ViewColumn("free"), ViewColumn("chance of misfit", rank=2),
)  # fmt: skip
SAVINGS = (
    ViewColumn("given up"), ViewColumn("chips"), ViewColumn("step", "s"), ViewColumn("free"),
    ViewColumn("chip-seconds of a token", rank=1),
)  # fmt: skip


def smallest_size_view(document: SmallestSizeDocument) -> View:
    """Return the numbers, what more chips leave free, and what would be given up for fewer."""
    answers = document["answers"]
    assumed = dict.fromkeys(text for answer in answers for text in answer["assumptions"])
    asked = Facts(
        (
            ("Model", describe_model(document["model"])),
            ("Margin", f"{format_percent(document['margin'], 0)} of the usable memory stays free"),
            *((("Assumed", "; ".join(assumed)),) if assumed else ()),
        )
    )
    highlights = tuple(Highlight(_name(a), count_of(a["chips"])) for a in answers if a["chips"] is not None)
    sections = tuple(ViewSection(_name(a), tuple(_blocks(a))) for a in answers)
    title = f"Smallest numbers of chips: {document['model']['name']}"
    return View(title, tuple(map(_lead, answers)), highlights, sections, asked, bottom_lines(document["bottom_line"]))


def _name(answer: SmallestDocument) -> str:
    engine = f" under {answer['runs_on']}" if answer["runs_on"] else ""
    return f"{answer['job']['task']['name']} on {answer['pool']}{engine}"


def _lead(answer: SmallestDocument) -> str:
    if answer["chips"] is None:
        return f"{_name(answer)}: none, {answer['reason']}."
    chips, free = answer["chips"], answer["sizes"][0]["memory_free"]
    return f"{_name(answer)}: {count_noun(chips, 'chip')}, {format_percent(free, 0)} of their usable memory free."


def _blocks(answer: SmallestDocument) -> Iterator[ViewTable | str]:
    name = _name(answer).replace(" ", "-")
    if not answer["sizes"]:
        yield f"No number of chips: {answer['reason']}."
        return
    yield ViewTable(name, "", HEAD, tuple(map(_size_row, answer["sizes"])), best=0)
    if answer["savings"]:
        rows = tuple(
            (
                saving["what"],
                count_of(saving["chips"]),
                *(_plan_cells(saving["plan"]) if saving["plan"] else (saving["reason"] or "", "")),
                "" if saving["chip_seconds_ratio"] is None else f"{saving['chip_seconds_ratio']:.2f} x",
            )
            for saving in answer["savings"]
        )
        yield ViewTable(f"{name}-savings", "What the next smaller number would take, each alone", SAVINGS, rows)


def _plan_cells(plan: SizeDocument) -> tuple[Cell, Cell]:
    return time_of(plan["step_time_s"]), share_of(plan["memory_free"])


def _size_row(size: SizeDocument) -> tuple[Cell, ...]:
    chance = size["misfit_chance"]
    return (
        count_of(size["chips"]),
        size["layout"],
        time_of(size["step_time_s"]),
        count_of(size["tokens_per_s"]),
        size_of(size["memory_total_bytes"]),
        share_of(size["memory_free"]),
        "" if chance is None else share_of(chance, 0),
    )
