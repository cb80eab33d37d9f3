"""The view of a described model: its sizes, its kinds of layers, and what was not understood."""

from __future__ import annotations

from tianji.formatting import format_count
from tianji.report.documents.described_model import DescribedModelDocument
from tianji.report.view import Facts, Highlight, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of


def described_model_view(document: DescribedModelDocument) -> View:
    """Return the view of ``tianji model trace`` and ``tianji model tower``."""
    written, remarks = document["written"], document["remarks"]
    lead = (f"Written to {written}: `tianji plan {written} POOL` plans it.",) if written else ()
    columns = (ViewColumn("kind of layer"), ViewColumn("layers"))
    rows = tuple((kind["title"], count_of(kind["layers"])) for kind in document["kinds"])
    sections = (
        ViewSection("Layers", (ViewTable("layers", "", columns, rows),)),
        *((ViewSection("What to know", (Facts(tuple(("Note", text) for text in remarks)),)),) if remarks else ()),
    )
    return View(f"Model {document['name']} of {document['source']}", lead, _highlights(document), sections)


def _highlights(document: DescribedModelDocument) -> tuple[Highlight, ...]:
    whole, active = document["num_parameters"], document["num_active_parameters"]
    note = f"{format_count(active)} of them active" if active != whole else ""
    return (
        Highlight("parameters", Number(whole, f"{whole:,}"), note),
        Highlight("layers", count_of(document["num_layers"]), f"of hidden size {document['hidden_size']:,}"),
    )
