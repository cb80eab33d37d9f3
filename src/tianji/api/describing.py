"""``tianji.model``: what a config.json does not say: a class without a family, the tower of a model for images."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tianji.api.answer import Answer
from tianji.api.requests import File
from tianji.errors import FormatError
from tianji.formatting import format_count
from tianji.parallel.plan_file import write_text
from tianji.report.documents.described_model import described_model_document
from tianji.workload.config_file import load_json
from tianji.workload.description import write_description
from tianji.workload.model import Model
from tianji.workload.towers import with_tower


def trace(file: File, *, out: File | None = None) -> Answer[Model]:
    """Describe the model of a config.json by the modules of its class in transformers.

    The class is built on PyTorch's meta device: no weights, no network, and never code
    from the model's repository. ``out`` is a ``.toml`` file that also takes the
    description; ``answer.result`` is the Model, which every verb takes.

    Raises MissingExtraError without the extra ``tianji[hf]``.
    """
    from tianji.workload.tracing import trace_config  # looks for transformers, which takes a second

    path, data = load_json(Path(file))
    return _answer(trace_config(data, _name_of(path), str(path)), out)


def tower(
    file: File,
    *,
    images: int = 0,
    image_tokens: int = 0,
    clips: int = 0,
    clip_tokens: int = 0,
    out: File | None = None,
) -> Answer[Model]:
    """Set the layers that see images or hear sound before those that see the text.

    ``images`` is how many a sequence holds, ``image_tokens`` how many tokens of the
    sequence one of them is, where the tower takes images of any size. ``clips`` and
    ``clip_tokens`` are the same of sound. ``out`` is a ``.toml`` file that also takes
    the description; ``answer.result`` is the Model, which every verb takes.

    Raises UnsupportedModelError for a tower that is not known.
    """
    path, data = load_json(Path(file))
    return _answer(with_tower(data, _name_of(path), str(path), images, image_tokens, clips, clip_tokens), out)


def _name_of(path: Path) -> str:
    return path.resolve().parent.name if path.name == "config.json" else path.stem


def _answer(model: Model, out: File | None) -> Answer[Model]:
    """Return a model, written where ``out`` says.

    Raises FormatError for a file whose name does not end in .toml.
    """
    if out is not None:
        out = Path(out)
        if out.suffix != ".toml":
            raise FormatError(f"--out {out}: expected the name of a .toml file, so that commands know what it is")
        write_text(out, write_description(model))
    summary = f"model {model.name}: {model.num_layers} layers, {format_count(model.num_parameters)} parameters"
    return Answer(model, summary, partial(described_model_document, model, None if out is None else str(out)))
