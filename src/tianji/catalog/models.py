"""Models of the catalog, and of a user's own files.

An entry is a folder with the ``config.json`` as its maker published it and, beside it, a ``model.toml`` with the
published parameter counts and the sizes of the known training run, each with its source.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

from tianji.catalog.entries import find_folders, is_there
from tianji.catalog.reader import TomlTable, read_toml, span
from tianji.catalog.sources import load_sources
from tianji.errors import FormatError, UnknownNameError
from tianji.hardware import CONFIDENCES, Figure
from tianji.workload.huggingface import load_config
from tianji.workload.model import Model
from tianji.workload.precision import find_precision

PARTS = ("embedding", "head", "mtp")
"""What a published count may or may not include beyond the layers; makers differ."""
COUNT = span("count", "1M", "1000T")


class TrainingDefaults(TypedDict):
    """The sizes of the run that trained a model; None where they were not published."""

    seq_len: int | None
    global_batch_size: int | None
    tokens: float | None
    precision: str | None
    """Its recipe of number formats, by name."""
    source: str
    """Key of a publication of the catalog, or a user's own words."""
    confidence: str
    note: str


@dataclass(frozen=True, slots=True)
class PublishedCount:
    """A parameter count as its maker published it, beside ours by the same convention."""

    what: str
    """``total`` or ``active``."""
    figure: Figure
    counts: tuple[str, ...]
    """Which of :data:`PARTS` the published figure includes."""
    counted: int

    @property
    def difference(self) -> float:
        """Our count over the published one, minus one."""
        return self.counted / self.figure.value - 1


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """What the catalog knows about a model."""

    name: str
    title: str
    model: Model
    folder: Path
    source: str
    confidence: str
    note: str
    published: tuple[PublishedCount, ...]
    training: TrainingDefaults | None


def list_models() -> tuple[str, ...]:
    """Return the names of all known models."""
    files = [file for folder, _ in find_folders("models") for file in folder.glob("*/config.json")]
    return tuple(sorted({file.parent.name for file in files}))


def list_aliases() -> dict[str, str]:
    """Return further names of models of the same shape, each with the name of its entry: ``models/aliases.toml``.

    >>> list_aliases()["llama-3.3-70b"]
    'llama-3.1-70b'

    Raises FormatError for a file that is no table of names.
    """
    aliases: dict[str, str] = {}
    for folder, _ in reversed(find_folders("models")):
        if not is_there(file := folder / "aliases.toml"):
            continue
        names = read_toml(file).get("aliases")
        if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
            raise FormatError(f'{file}: expected a table [aliases] with lines like "llama-3.3-70b" = "llama-3.1-70b"')
        aliases |= names
    return aliases


def load_model(name_or_path: str | os.PathLike[str]) -> Model:
    """Return a model by its catalog name, or from a ``config.json`` or the folder that holds it.

    >>> load_model("llama-3.1-8b").num_parameters
    8030261248

    Raises UnknownNameError for a name that the catalog lacks, FormatError for a file that cannot be used and
    UnsupportedModelError for an architecture that is not understood.
    """
    return describe_model(name_or_path).model


def training_defaults(name_or_path: str | os.PathLike[str]) -> TrainingDefaults | None:
    """Return the sizes of the run that trained a model, or None where none of them is known.

    >>> known = training_defaults("deepseek-v3")
    >>> known["seq_len"], known["global_batch_size"]
    (4096, 15360)

    Raises what :func:`load_model` raises.
    """
    return describe_model(name_or_path).training


def describe_model(name_or_path: str | os.PathLike[str]) -> ModelEntry:
    """Return a model with its published counts, training sizes and sources.

    >>> total, active = describe_model("mixtral-8x7b").published
    >>> total.counted, f"{active.difference:+.1%}"
    (46702792704, '-0.2%')

    Raises what :func:`load_model` raises.
    """
    path, shipped = _find(name_or_path)
    return _load(path, shipped, _version(path), _version(path.parent / "model.toml"))


def count_parameters(model: Model, parts: Collection[str], active: bool = False) -> int:
    """Return the parameters of a model's layers and of the given :data:`PARTS`.

    ``active`` counts of the routed experts only those of one token.
    """
    table = model.hidden_size * model.vocab_size
    head = 0 if model.tied_embeddings else table
    total = model.num_active_parameters if active else model.num_parameters
    left_out = model.embedding_parameters() * ("embedding" not in parts) + head * ("head" not in parts)
    if "mtp" not in parts:
        return total - left_out
    idle = model.moe.num_experts - model.moe.top_k if model.moe and active else 0
    return total - left_out + model.mtp_parameters() - model.num_mtp_layers * idle * model.expert_parameters()


# --- finding --------------------------------------------------------------------------------------------------
def _find(name_or_path: str | os.PathLike[str]) -> tuple[Path, bool]:
    """Return the ``config.json`` that a name or a path stands for, and whether it came with Tianji."""
    text = os.fspath(name_or_path)
    named = isinstance(name_or_path, str) and "/" not in text and os.sep not in text and not text.endswith(".json")
    wanted = text.strip().lower()
    if named and wanted not in ("", ".", ".."):
        for folder, shipped in find_folders("models"):
            for name in (text.strip(), wanted):
                if is_there(folder / name / "config.json"):
                    return folder / name / "config.json", shipped
    path = Path(text)
    exists = is_there(path)
    aliases = list_aliases() if named and not exists else {}
    if wanted in aliases and aliases[wanted] not in aliases:
        return _find(aliases[wanted])
    if named and (not wanted or not exists):
        hint = "A model of your own is given by the path of its config.json, or of its folder."
        raise UnknownNameError("model", text, [*list_models(), *aliases], hint)
    if not exists and path.name.lower() in list_models():
        raise FormatError(f"{text}: no such file; the catalog has this model under the name {path.name.lower()!r}")
    return (path / "config.json" if exists and path.is_dir() else path), False


def _version(path: Path) -> tuple[int, int]:
    """Return what changes when a file does, for the cache."""
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


# --- reading --------------------------------------------------------------------------------------------------
@lru_cache(maxsize=256)
def _load(path: Path, shipped: bool, version: tuple[int, int], about_version: tuple[int, int]) -> ModelEntry:
    model = load_config(path)
    about = path.parent / "model.toml"
    if path.name != "config.json" or not about.is_file():
        return ModelEntry(model.name, model.name, model, path.parent, str(path), "user", "", (), None)
    table = TomlTable(read_toml(about), str(about), sources=load_sources() if shipped else None)
    source = table.text("source")
    entry = ModelEntry(
        name=model.name,
        title=table.text("title"),
        model=replace(model, source=source),
        folder=path.parent,
        source=source,
        confidence=table.choice("confidence", CONFIDENCES),
        note=table.text("note", ""),
        published=_read_published(table, model),
        training=_read_training(table),
    )
    table.finish()
    return entry


def _read_published(table: TomlTable, model: Model) -> tuple[PublishedCount, ...]:
    counts = table.child("parameters")
    if counts is None:
        return ()
    published = []
    for what in ("total", "active"):
        parts, figure = counts.texts(f"{what}_counts"), counts.figure(what, *COUNT)
        if unknown := set(parts) - set(PARTS):
            raise FormatError(f"{counts.where(what + '_counts')}: {min(unknown)!r} is not one of {', '.join(PARTS)}")
        if figure is not None:
            published.append(
                PublishedCount(what, figure, parts, count_parameters(model, parts, active=what == "active"))
            )
    counts.finish()
    return tuple(published)


def _read_training(table: TomlTable) -> TrainingDefaults | None:
    run = table.child("training")
    if run is None:
        return None
    defaults = TrainingDefaults(
        seq_len=run.count("seq_len", 0) or None,
        global_batch_size=run.count("global_batch_size", 0) or None,
        tokens=run.number("tokens", *COUNT, default=0.0) or None,
        precision=run.text("precision", "") or None,
        source=run.text("source"),
        confidence=run.choice("confidence", CONFIDENCES),
        note=run.text("note", ""),
    )
    run.finish()
    if defaults["precision"]:
        find_precision(defaults["precision"])
    return defaults
