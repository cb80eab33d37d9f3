"""The page of a job on unlike chips, made from its JSON document."""

from __future__ import annotations

from tianji.report.pages.basis import (
    Document,
    assumption_facts,
    calibration_parts,
    figure_table,
    publications,
    sources_of,
)
from tianji.report.pages.charts import Bar, Bars
from tianji.report.pages.parts import Cell, Column, Facts, Number, Page, Part, Section, Table
from tianji.report.pages.step import failing_days_tiles, goodput_tiles, ranged, shorten_layout
from tianji.report.wording import WAYS, count, duration, size
from tianji.units import show


def mixture_page(document: Document) -> Page:
    """Return the page of ``mixed_document``."""
    mixture, job = document["mixture"], document["job"]
    ways = _ways(document)
    speed = document["tokens_per_s"]
    tiles = [("step time", ranged({"nominal": document["step_time_s"], **document["step_time_range"]}, duration)),
             ("tokens/s", Number(speed, f"{speed:,.0f}")), *goodput_tiles(document["lasting"])]  # fmt: skip
    if document["days"] is not None:
        tiles.append(("days without failures", Number(document["days"], f"{document['days']:,.1f}")))
        tiles += failing_days_tiles(document["lasting"])
    bars = tuple(Bar(way, (("step", seconds),), duration(seconds)) for way, seconds in ways)
    parts: list[Part] = [
        Bars("ways", "Step time of each way to use these chips", "time of a step, s", bars),
        _ways_table(ways),
    ]
    parts += [*_division(document["batches"]), *_chain(document["stages"])]
    asked = (
        ("Model", f"{document['model']['name']}, {count(document['model']['num_parameters'])} parameters"),
        ("Work", f"{job['global_batch_size']:,} sequences of {job['seq_len']:,} tokens a step, in {job['precision']}"),
        *(("Part", f"{part['chips']:,} x {part['chip']} ({part['pool']})") for part in mixture["parts"]),
        ("Joint", f"{show(mixture['joint_bandwidth'], 'bandwidth')} for each chip, one direction"),
    )
    sections = (
        Section("Ways to use these chips", tuple(parts)),
        Section("What was asked", (Facts(asked),)),
        _basis(document),
    )
    title = f"Plan: {document['model']['name']} on {mixture['name']}, {mixture['chips']:,} unlike chips"
    unknown = document["lasting"].get("reason")
    lead = (document["verdict"], *([f"The goodput is not known: {unknown}."] if unknown else []))
    return Page(title, lead, tuple(tiles), sections)


def _ways(document: Document) -> list[tuple[str, float]]:
    found = [(WAYS[key], document[key]["step_time_s"]) for key in ("batches", "stages") if document[key]]
    alone = [(f"{a['pool']} alone", a["step_time_s"]) for a in document["alone"] if a["step_time_s"] is not None]
    return sorted([*found, *alone], key=lambda way: way[1])


def _ways_table(ways: list[tuple[str, float]]) -> Table:
    rows = tuple((way, Number(seconds, duration(seconds))) for way, seconds in ways)
    return Table("ways", "Ways to use these chips", (Column("way"), Column("step", "s")), rows)


def _division(division: Document | None) -> list[Part]:
    if division is None:
        return []
    columns = (
        Column("part"),
        Column("layout"),
        Column("sequences"),
        Column("alone in", "s"),
        Column("memory", "bytes"),
    )
    rows: list[tuple[Cell, ...]] = [
        (s["pool"], shorten_layout(s["strategy"]), Number(s["batch"], f"{s['batch']:,}"),
         Number(s["seconds"], duration(s["seconds"])), Number(s["memory"], size(s["memory"])))
        for s in division["shares"]
    ]  # fmt: skip
    note = f"The exchange of gradients between the parts takes {duration(division['exchange_s'])} that nothing hides."
    return [Table("batches", "Side by side: batches that finish together", columns, tuple(rows), note)]


def _chain(chain: Document | None) -> list[Part]:
    if chain is None:
        return []
    rows: list[tuple[Cell, ...]] = [
        (p["pool"], " ".join(map(str, p["layers"])), Number(p["memory"], size(p["memory"]))) for p in chain["parts"]
    ]
    columns = (Column("part"), Column("layers of its stages"), Column("memory", "bytes"))
    return [Table("stages", f"In one pipeline: {shorten_layout(chain['strategy'])}", columns, tuple(rows))]


def _basis(document: Document) -> Section:
    parts: list[Part] = [Facts(tuple(assumption_facts(document["assumptions"])))] if document["assumptions"] else []
    for place, calibration in enumerate(document["calibrations"], 1):
        parts += calibration_parts(calibration, f"calibration-{place}")
    parts.append(figure_table(document["figures"]))
    return Section("What it stands on", (*parts, publications(sources_of(document["figures"]))))
