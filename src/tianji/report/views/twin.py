"""What is shown of a model's twin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tianji.report.documents.twin import MoveTwinDocument
from tianji.report.view import Block, Cell, Facts, Highlight, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of
from tianji.report.views.parity import parity_lead, parity_sections
from tianji.report.views.request_summary import bottom_lines

Document = Mapping[str, Any]


def twin_view(document: MoveTwinDocument) -> View:
    """Return what is shown of ``twin_document``."""
    weights, parity = document["weights"], document["parity"]
    lead = ["It is written and not run; the commands below run it."] if parity is None else list(parity_lead(parity))
    if document["layers"] < document["layers_of_the_whole"]:
        lead.append(f"It has the first {document['layers']} of {document['layers_of_the_whole']} layers.")
    highlights = [
        Highlight("parameters", count_of(weights["parameters"])),
        Highlight("arrays carried over", count_of(weights["arrays"] if weights["carried_from"] else 0)),
    ]
    if parity is not None:
        failed = sum(check["outcome"] == "fail" for check in parity["checks"])
        highlights.append(
            Highlight("checks that fail", Number(failed, f"{failed}", span=f"of {len(parity['checks'])}"))
        )
    sections = [ViewSection("Runs", (_runs(document),) if document["runs"] else ())]
    if parity is not None:
        sections += parity_sections(parity)
    commands = Facts(tuple(("Run", command) for command in document["commands"]))
    files = Facts(tuple(("File", file) for file in document["files"]))
    sections.append(ViewSection("To run it again", (files, commands)))
    return View(
        f"Twin of {document['model']}, {document['family']}",
        tuple(lead),
        tuple(highlights),
        tuple(section for section in sections if section.blocks),
        Facts(tuple(_asked(document))),
        bottom_lines(document["bottom_line"]),
    )


def _asked(document: Document) -> list[tuple[str, str]]:
    weights, settings = document["weights"], document["settings"]
    carried = weights["carried_from"] or "drawn from the seed: no file was given, none lies beside the config"
    facts = [
        ("Model", document["found_in"]),
        ("Weights", carried),
        ("Norm epsilon", f"{settings['norm_epsilon']:g}"),
        ("A step", f"{document['batch_sequences']:,} sequences of {document['sequence_tokens']:,} tokens, fp32"),
    ]
    if weights["unused"]:
        names = ", ".join(weights["unused"][:4])
        facts.append(("Left out", f"{len(weights['unused'])} arrays that the model has no part for, such as {names}"))
    return facts


def _runs(document: Document) -> Block:
    columns = (
        ViewColumn("executor"),
        ViewColumn("version"),
        ViewColumn("first loss", "1"),
        ViewColumn("last loss", "1"),
        ViewColumn("folder", rank=1),
    )
    rows: list[tuple[Cell, ...]] = []
    for run in document["runs"]:
        first, last = (Number(run[key], f"{run[key]:.7g}") for key in ("first_loss", "last_loss"))
        rows.append((run["backend"], run["version"], first, last, run["folder"]))
    return ViewTable("runs", "", columns, tuple(rows))
