"""The views of exports: the targets, the files of one, and what a manifest breaks."""

from __future__ import annotations

from tianji.formatting import count_noun
from tianji.report.documents.export import CheckDocument, ExportDocument, TargetsDocument
from tianji.report.view import Facts, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of
from tianji.report.views.request_summary import bottom_lines


def targets_view(document: TargetsDocument) -> View:
    """Return the view of ``tianji export`` without arguments."""
    rows = tuple((target["name"], target["about"]) for target in document["targets"])
    table = ViewTable("targets", "", (ViewColumn("target"), ViewColumn("what it writes")), rows)
    lead = ("`tianji export PLAN.json --to TARGET` writes a plan for one of these.",)
    return View("Export targets", lead, (), (ViewSection(f"{len(rows)} targets", (table,)),))


def export_view(document: ExportDocument) -> View:
    """Return the view of ``tianji export PLAN.json --to TARGET``: the files and the notes, without their texts."""
    rows = tuple(
        (file["name"], "yes" if file["executable"] else "no", count_of(len(file["text"].splitlines())))
        for file in document["files"]
    )
    columns = (ViewColumn("file"), ViewColumn("executable"), ViewColumn("lines"))
    notes = Facts(tuple(("Note", note) for note in document["notes"]))
    sections = (
        ViewSection("Files", (ViewTable("files", "", columns, rows),)),
        *((ViewSection("What to know", (notes,)),) if notes.rows else ()),
    )
    return View(f"Export for {document['target']}", tuple(document["written"]), (), sections)


def check_view(document: CheckDocument) -> View:
    """Return the view of ``tianji export --check FILE``."""
    title, violations = f"Check of {document['file']}", document["violations"]
    bottom = bottom_lines(document["bottom_line"])
    if not violations:
        fits = f"It fits the schema of {', '.join(document['schemas'])}. " if document["schemas"] else ""
        return View(title, (f"{fits}It keeps all rules of its scheduler that Tianji knows.",), (), (), bottom=bottom)
    rows = tuple((v["where"], v["actual"], v["rule"], v["fix"]) for v in violations)
    columns = (ViewColumn("where"), ViewColumn("what stands there"), ViewColumn("rule"), ViewColumn("fix"))
    count = count_noun(len(rows), "broken rule")
    return View(title, (), (), (ViewSection(count, (ViewTable("violations", "", columns, rows),)),), bottom=bottom)
