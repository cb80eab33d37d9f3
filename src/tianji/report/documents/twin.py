"""JSON of a model's twin: what was carried over, what it was trained under, both runs and their judgement."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypedDict

from tianji.migration.twin import Twin, TwinRun
from tianji.report.documents.checked_lines import twin_line
from tianji.report.documents.parity import MoveParityDocument, parity_document
from tianji.report.documents.three_lines import BottomLineDocument
from tianji.result import Result


class TwinWeightsDocument(TypedDict):
    """The weights of a twin."""

    carried_from: str | None
    """File or folder; null: drawn from the seed."""
    arrays: int
    parameters: int
    unused: list[str]
    """Names that no part of the model takes."""


class TwinSettingsDocument(TypedDict):
    """What the weights were trained under."""

    norm_epsilon: float
    slowest_rotary_rate: float
    """Radians by which the last pair of a head turns from one position to the next."""


class TwinRunDocument(TypedDict):
    """A run of the twin."""

    backend: str
    version: str
    folder: str
    first_loss: float
    last_loss: float


class MoveTwinDocument(TypedDict):
    """One model, trained by PyTorch and by MindSpore from the same weights."""

    document: Literal["migration_twin"]
    bottom_line: BottomLineDocument
    model: str
    family: str
    layers: int
    layers_of_the_whole: int
    found_in: str
    sequence_tokens: int
    batch_sequences: int
    weights: TwinWeightsDocument
    settings: TwinSettingsDocument
    files: list[str]
    commands: list[str]
    """What runs it again."""
    runs: list[TwinRunDocument]
    """Empty: it was written and not run."""
    outcome: str | None
    parity: MoveParityDocument | None


def twin_document(twin: Twin, ran: TwinRun | None) -> MoveTwinDocument:
    """Return everything of a twin; ``ran`` None: it was only written."""
    job, folder = twin.plan.job, twin.folder
    model = job.model
    again = f"tianji run {folder / 'plan.json'} --weights {twin.weights} --device cpu --no-trace"
    runs = () if ran is None else (("torch", ran.reference), ("mindspore", ran.candidate))
    return {
        "document": "migration_twin",
        "bottom_line": twin_line(
            model.name,
            model.num_layers,
            twin.num_layers_of,
            len(runs),
            None if ran is None else ran.parity.outcome.value,
        ),
        "model": model.name,
        "family": model.family,
        "layers": model.num_layers,
        "layers_of_the_whole": twin.num_layers_of,
        "found_in": twin.found_in,
        "sequence_tokens": job.seq_len,
        "batch_sequences": job.global_batch_size,
        "weights": {
            "carried_from": twin.carried_from or None,
            "arrays": twin.num_weights,
            "parameters": model.num_parameters,
            "unused": list(twin.unused),
        },
        "settings": {"norm_epsilon": twin.norm_epsilon, "slowest_rotary_rate": float(twin.rotary_rates[-1])},
        "files": [str(folder / "plan.json"), str(twin.weights)],
        "commands": [
            f"{again} --out {folder / 'torch-again'}",
            f"{again} --out {folder / 'mindspore-again'} --backend mindspore",
            f"tianji migrate parity {folder / 'torch-again'} {folder / 'mindspore-again'} --precision fp32",
        ],
        "runs": [_run(name, folder / name, result) for name, result in runs],
        "outcome": None if ran is None else ran.parity.outcome.value,
        "parity": None if ran is None else parity_document(ran.parity),
    }


def _run(backend: str, folder: Path, result: Result) -> TwinRunDocument:
    measured = result.measurement
    return {
        "backend": backend,
        "version": measured.versions.get(backend, "") if measured else "",
        "folder": str(folder),
        "first_loss": measured.losses[0] if measured else 0.0,
        "last_loss": measured.losses[-1] if measured else 0.0,
    }
