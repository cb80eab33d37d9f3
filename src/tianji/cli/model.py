"""``tianji model``: what a config.json does not say: a class without a family, the tower of a model for images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tianji.cli.outputs import answering

if TYPE_CHECKING:
    from tianji.api.answer import Answer

_out = click.option("--out", metavar="FILE", help="Also write the description, as a .toml file that commands take.")


@click.group("model")
def model_command() -> None:
    r"""Describe a model of which config.json alone does not say enough.

    A family that has no file of its own is read from its class (trace); the layers that see images or hear sound are set before
    those that see the text (tower). Every command takes the file that they write.

    \b
    Examples:
      tianji model trace config.json --out model.toml
      tianji model tower qwen3-vl/config.json --images 4 --image-tokens 256 --out model.toml
      tianji plan model.toml hgx-h100 --chips 64
    """


@model_command.command("trace")
@click.argument("file", metavar="CONFIG")
@_out
@answering
def trace_command(**options: Any) -> Answer[Any]:
    r"""Describe the model of a config.json by the modules of its class.

    The class is built on PyTorch's meta device: no weights, no network, and never code from the model's repository. Matrices are
    cut as the class's own tensor-parallel plan says. What is not understood is said. Needs the extra: pip install 'tianji[hf]'.

    \b
    Examples:
      tianji model trace config.json --out model.toml
    """
    from tianji.api.describing import trace

    return trace(**options)


@model_command.command("tower")
@click.argument("file", metavar="CONFIG")
@click.option("--images", default=0, metavar="N", type=int, help="Images of a sequence.")
@click.option(
    "--image-tokens",
    default=0,
    metavar="N",
    type=int,
    help="Tokens of the sequence that one image is, where the tower takes images of any size.",
)
@click.option("--clips", default=0, metavar="N", type=int, help="Clips of sound of a sequence.")
@click.option(
    "--clip-tokens",
    default=0,
    metavar="N",
    type=int,
    help="Tokens of the sequence that one clip is, where the tower takes clips of any length.",
)
@_out
@answering
def tower_command(**options: Any) -> Answer[Any]:
    r"""Set the layers that see images or hear sound before those that see the text.

    Commands that are given the config.json plan the language model alone and say so. The images and clips of a sequence are part
    of its tokens; patches of an image see each other, and so do frames of a clip. All layers are trained.

    \b
    Examples:
      tianji model tower qwen3-vl/config.json --images 4 --image-tokens 256 --out model.toml
      tianji model tower qwen2-audio/config.json --clips 2 --out model.toml
      tianji plan model.toml hgx-h100 --chips 64
    """
    from tianji.api.describing import tower

    return tower(**options)
