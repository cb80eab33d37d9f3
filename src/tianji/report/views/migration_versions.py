"""What is shown of versions that fit together, and of an environment beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tianji.formatting import count_noun
from tianji.report.documents.migration_types import MoveVersionsDocument, VersionSetDocument
from tianji.report.view import Block, Facts, Highlight, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of
from tianji.report.views.request_summary import bottom_lines

Document = Mapping[str, Any]


def versions_view(document: MoveVersionsDocument) -> View:
    """Return what is shown of ``versions_document``."""
    chosen, environment = document["set"], document["environment"]
    sections = [
        ViewSection("A set that fits" if chosen["fits"] else "Why none fits", tuple(version_blocks(chosen, "versions")))
    ]
    lead = [
        f"Newest set in a table of {document['snapshot']}: {chosen['name']}."
        if chosen["fits"]
        else "No set of the table fits what is asked."
    ]
    if environment is not None:
        sections.insert(0, ViewSection("The environment", tuple(_environment(environment))))
        lead.insert(
            0,
            "The environment fits together, as far as the table knows."
            if environment["fits"]
            else f"The environment does not fit together: {count_noun(len(environment['misfits']), 'misfit')}.",
        )
    highlights = [Highlight("components in the set", count_of(len(chosen["versions"])))]
    if environment is not None:
        highlights.append(Highlight("misfits of the environment", count_of(len(environment["misfits"]))))
    title, bottom = f"Versions for {document['target']['title']}", bottom_lines(document["bottom_line"])
    return View(title, tuple(lead), tuple(highlights), tuple(sections), bottom=bottom)


def _environment(environment: Document) -> Iterable[Block]:
    yield Facts(tuple((name, version) for name, version in environment["versions"].items()))
    columns = (ViewColumn("what"), ViewColumn("expected"), ViewColumn("source", rank=1))
    rows = tuple((m["what"], m["expected"], m["source"] or "-") for m in environment["misfits"])
    if rows:
        yield ViewTable("misfits", "What does not fit", columns, rows)


def version_blocks(chosen: VersionSetDocument, name: str) -> Iterable[Block]:
    """Return a set of versions as a table, or its conflicts as text."""
    if not chosen["fits"]:
        yield "No set of versions fits:"
        yield Facts(tuple(("Conflict", reason) for reason in chosen["conflicts"]))
        return
    columns = (ViewColumn("component"), ViewColumn("version"))
    rows = tuple((component, version) for component, version in chosen["versions"].items())
    yield f"{chosen['name']}:"
    notes, sources = chosen["notes"], chosen["sources"]
    yield Facts(tuple([*(("Note", note) for note in notes), *(("Source", source) for source in sources)]))
    yield ViewTable(name, "", columns, rows)
