"""``tianji model``: what a config.json does not say: a class without a family, the tower of a model for images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tianji.workload.model import Model


@click.group("model")
def model_command() -> None:
    r"""Describe a model of which config.json alone does not say enough.

    A family that has no file of its own is read from its class (trace); the layers that see images are set before those that see
    the text (tower). What both write is planned as any model is.

    \b
    Examples:
      tianji model trace config.json --out model.toml
      tianji model tower qwen3-vl/config.json --images 4 --image-tokens 256 --out model.toml
      tianji plan model.toml hgx-h100 --chips 64
    """


@model_command.command("trace")
@click.argument("file", metavar="CONFIG", type=click.Path(path_type=Path))
@click.option("--out", "out", required=True, metavar="FILE", type=click.Path(path_type=Path), help="Where to write it.")
def trace_command(file: Path, out: Path) -> None:
    r"""Describe the model of a config.json by the modules of its class.

    The class is built on PyTorch's meta device: no weights, no network, and never code from the model's repository. Matrices are
    cut as the class's own tensor-parallel plan says. What is not understood is said. Needs the extra: pip install 'tianji[hf]'.

    \b
    Examples:
      tianji model trace config.json --out model.toml
    """
    from tianji.workload.config_file import load_json
    from tianji.workload.tracing import trace_config

    path, data = load_json(file)
    _write(trace_config(data, _name_of(path), str(path)), out)


@model_command.command("tower")
@click.argument("file", metavar="CONFIG", type=click.Path(path_type=Path))
@click.option("--images", required=True, metavar="N", type=int, help="Images of a sequence.")
@click.option(
    "--image-tokens",
    default=0,
    metavar="N",
    type=int,
    help="Tokens of the sequence that one image is, where the tower takes images of any size.",
)
@click.option("--out", "out", required=True, metavar="FILE", type=click.Path(path_type=Path), help="Where to write it.")
def tower_command(file: Path, images: int, image_tokens: int, out: Path) -> None:
    r"""Set the layers that see images before those that see the text.

    Commands that are given the config.json plan the language model alone and say so. The images of a sequence are part of its
    tokens; patches of an image see each other. All layers are trained.

    \b
    Examples:
      tianji model tower qwen3-vl/config.json --images 4 --image-tokens 256 --out model.toml
      tianji plan model.toml hgx-h100 --chips 64
    """
    from tianji.workload.config_file import load_json
    from tianji.workload.towers import with_tower

    path, data = load_json(file)
    _write(with_tower(data, _name_of(path), str(path), images, image_tokens), out)


def _name_of(path: Path) -> str:
    return path.resolve().parent.name if path.name == "config.json" else path.stem


def _write(model: Model, out: Path) -> None:
    """Write the description of a model, and say what it is.

    Raises FormatError for a file whose name does not end in .toml.
    """
    from tianji.errors import FormatError
    from tianji.parallel.plan_file import write_text
    from tianji.workload.description import write_description

    if out.suffix != ".toml":
        raise FormatError(f"--out {out}: expected the name of a .toml file, so that commands know what it is")
    write_text(out, write_description(model))
    click.echo(
        f"{out}: {model.name}, {model.num_layers} layers of {len(model.blocks)} kinds, {model.num_parameters:,} parameters."
    )
    for remark in filter(None, model.remark.split("; ")):
        click.echo(f"  {remark}")
