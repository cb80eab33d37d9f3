"""The document of ``tianji model trace`` and ``tower``: a model that a config.json alone does not describe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from tianji.workload.model import Model


class LayerKindDocument(TypedDict):
    """Layers of one kind."""

    title: str
    layers: int
    """How many there are."""


class DescribedModelDocument(TypedDict):
    """All that ``tianji model trace`` and ``tianji model tower`` answer."""

    document: Literal["described_model"]
    name: str
    family: str
    source: str
    """The file that was read."""
    num_layers: int
    hidden_size: int
    num_parameters: int
    num_active_parameters: int
    kinds: list[LayerKindDocument]
    """Kinds of layers in their order."""
    remarks: list[str]
    """What was understood otherwise than the file may mean, or not at all."""
    written: str | None
    """The description's file, with ``--out``."""


def described_model_document(model: Model, written: str | None) -> DescribedModelDocument:
    """Return what was described, and where it was written."""
    return {
        "document": "described_model",
        "name": model.name,
        "family": model.family,
        "source": model.source,
        "num_layers": model.num_layers,
        "hidden_size": model.hidden_size,
        "num_parameters": model.num_parameters,
        "num_active_parameters": model.num_active_parameters,
        "kinds": [{"title": title, "layers": count} for title, count in model.layer_titles],
        "remarks": [part for part in model.remark.split("; ") if part],
        "written": written,
    }
