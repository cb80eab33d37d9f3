"""The view of a job on unlike chips: how long each way to mix them takes, and what every part does in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tianji.formatting import format_duration
from tianji.report.charts import BarChart, ChartBar
from tianji.report.documents.mixture import BatchesDocument, MixedPlanDocument, MixedRequestDocument, StagesDocument
from tianji.report.view import Block, Cell, Facts, Highlight, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.basis import BASIS, calibration_blocks, figure_table, publications, sources_of
from tianji.report.views.cells import count_of, ranged, size_of, time_of
from tianji.report.views.plan_result import days_highlights, goodput_highlights, goodput_lead, shorten_layout
from tianji.report.views.request_summary import (
    bottom_lines,
    describe_job,
    describe_pool,
    describe_tier,
    describe_trust,
    has_experts,
)
from tianji.report.views.software import describe_software
from tianji.report.vocabulary import WAYS
from tianji.units import show


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to use the chips."""

    words: str
    seconds: float
    chips: int
    is_taken: bool


def mixed_plan_view(document: MixedPlanDocument) -> View:
    """Return the view of ``tianji plan`` on a mixture."""
    mixture, ways = document["mixture"], _ways(document)
    chart = BarChart(
        "ways", "Step time of each way to use these chips", "time of a step, s",
        tuple(ChartBar(way.words, (("step", way.seconds),), format_duration(way.seconds)) for way in ways),
    )  # fmt: skip
    sections = (
        ViewSection("Ways to use these chips", (chart, _ways_table(document, ways))),
        *_batches(document["batches"]),
        *_stages(document["stages"]),
        mixture_basis(document),
    )
    job = f"{document['model']['name']} in {document['job']['precision']}"
    title = f"Plan: {job} on {mixture['name']}, {mixture['chips']:,} unlike chips"
    lead = (document["verdict"], *goodput_lead(document["goodput_summary"]))
    return View(
        title,
        lead,
        tuple(_highlights(document)),
        sections,
        mixture_facts(document),
        bottom_lines(document["bottom_line"]),
    )


def mixture_facts(document: MixedRequestDocument, more: tuple[tuple[str, str], ...] = ()) -> Facts:
    """Return the question and its assumptions, part by part; ``more`` follows."""
    mixture, assumptions = document["mixture"], document["assumptions"]
    joint = (
        f"{mixture['joint']}, {show(mixture['joint_bandwidth_bytes_per_s'], 'bandwidth')} for each chip, one direction"
    )
    return Facts(
        (
            ("Job", describe_job(document)),
            *((f"Part {place}", describe_pool(part)) for place, part in enumerate(mixture["parts"], 1)),
            ("Joint", joint),
            *((("Assumed", "; ".join(assumptions)),) if assumptions else ()),
            *(
                (f"Stack {place}", describe_software(one, has_experts=has_experts(document)))
                for place, one in enumerate(document["software"], 1)
                if one
            ),
            *(
                (f"Trust {place}", describe_trust(calibration, part))
                for place, (calibration, part) in enumerate(
                    zip(document["calibrations"], mixture["parts"], strict=True), 1
                )
            ),
            ("Trust", "the mixture itself is not measured: its range is the widest of its parts'"),
            *more,
        )
    )


def _highlights(document: MixedPlanDocument) -> Iterator[Highlight]:
    summary, days = document["goodput_summary"], document["days"]
    basis = f"80 % range, {document['leans_on']}" if document["leans_on"] else "a lower bound"
    yield Highlight("step time", ranged(document["step_time_range_s"], format_duration), basis)
    yield Highlight("tokens/s", count_of(document["tokens_per_s"]))
    yield from goodput_highlights(summary)
    if days is not None:
        yield Highlight("days without failures", Number(days, f"{days:,.1f}"))
    yield from days_highlights(summary)


def _ways(document: MixedPlanDocument) -> list[_Way]:
    """Return all ways that can be gone, the fastest first; that to take is the fastest of the kind that was chosen."""
    chips, kinds = document["mixture"]["chips"], (("batches", document["batches"]), ("stages", document["stages"]))
    every = [(kind, WAYS[kind], way["step_time_s"], chips) for kind, way in kinds if way]
    for alone in document["alone"]:
        if alone["step_time_s"] is not None and alone["chips"] is not None:
            every.append(("alone", f"{alone['pool']} alone", alone["step_time_s"], alone["chips"]))
    every.sort(key=lambda way: way[2])
    taken = next((way for way in every if way[0] == document["choice"]), None)
    return [_Way(*way[1:], is_taken=way is taken) for way in every]


def _ways_table(document: MixedPlanDocument, ways: list[_Way]) -> ViewTable:
    tokens = document["job"]["tokens_per_step"]
    rows: list[tuple[Cell, ...]] = [
        (way.words, time_of(way.seconds), count_of(tokens / way.seconds), count_of(way.chips)) for way in ways
    ]
    rows += [
        (f"{alone['pool']} alone: {alone['reason']}", "", "", "") for alone in document["alone"] if alone["reason"]
    ]
    columns = (ViewColumn("way"), ViewColumn("step", "s"), ViewColumn("tokens/s"), ViewColumn("chips at work"))
    best = next((place for place, way in enumerate(ways) if way.is_taken), None)
    return ViewTable("ways", "", columns, tuple(rows), best=best)


def _batches(batches: BatchesDocument | None) -> Iterator[ViewSection]:
    if batches is None:
        return
    rows = tuple(
        (share["pool"], shorten_layout(share["strategy"]), count_of(share["batch"]), time_of(share["step_time_s"]),
         size_of(share["memory_total_bytes"]))
        for share in batches["shares"]
    )  # fmt: skip
    columns = (ViewColumn("part"), ViewColumn("layout"), ViewColumn("sequences"), ViewColumn("alone in", "s"),
               ViewColumn("memory", "bytes"))  # fmt: skip
    note = f"The exchange of gradients between the parts takes {format_duration(batches['exchange_s'])} that nothing hides."
    yield ViewSection("Side by side: batches that finish together", (ViewTable("batches", "", columns, rows, note),))


def _stages(stages: StagesDocument | None) -> Iterator[ViewSection]:
    if stages is None:
        return
    rows = tuple(
        (part["pool"], " ".join(map(str, part["layers"])), size_of(part["memory_total_bytes"]))
        for part in stages["parts"]
    )
    columns = (ViewColumn("part"), ViewColumn("layers of its stages"), ViewColumn("memory", "bytes"))
    table = ViewTable("stages", shorten_layout(stages["strategy"]), columns, rows)
    yield ViewSection("In one pipeline: layers that take equal time", (table,))


def mixture_basis(document: MixedRequestDocument) -> ViewSection:
    """Return what the parts' figures stand on."""
    tiers = (("Tier", describe_tier(tier)) for part in document["mixture"]["parts"] for tier in part["tiers"])
    blocks: list[Block] = [Facts((("Model", document["model"]["source"]), *tiers))]
    for place, calibration in enumerate(document["calibrations"], 1):
        blocks += calibration_blocks(calibration, f"calibration-{place}")
    blocks.append(figure_table(document["figures"]))
    return ViewSection(BASIS, (*blocks, publications(sources_of(document["figures"]))), is_detail=True)
