"""``tianji model``: a model of another architecture, read from the class that transformers has for it."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("model")
def model_command() -> None:
    r"""Read a model whose family has no file of its own.

    Needs the extra: pip install 'tianji[hf]'. What it writes is planned without transformers.

    \b
    Examples:
      tianji model trace config.json --out model.toml
      tianji plan model.toml hgx-h100 --chips 64
    """


@model_command.command("trace")
@click.argument("file", metavar="CONFIG", type=click.Path(path_type=Path))
@click.option("--out", "out", required=True, metavar="FILE", type=click.Path(path_type=Path), help="Where to write it.")
def trace_command(file: Path, out: Path) -> None:
    r"""Describe the model of a config.json by the modules of its class.

    The class is built on PyTorch's meta device: no weights, no network, and never code from the model's repository. Matrices are
    cut as the class's own tensor-parallel plan says. What is not understood is said.

    \b
    Examples:
      tianji model trace config.json --out model.toml
    """
    from tianji.errors import FormatError
    from tianji.parallel.plan_file import write_text
    from tianji.workload.config_file import load_json
    from tianji.workload.description import write_description
    from tianji.workload.tracing import trace_config

    if out.suffix != ".toml":
        raise FormatError(f"--out {out}: expected the name of a .toml file, so that commands know what it is")
    path, data = load_json(file)
    name = path.resolve().parent.name if path.name == "config.json" else path.stem
    model = trace_config(data, name, str(path))
    write_text(out, write_description(model))
    click.echo(
        f"{out}: {name}, {model.num_layers} layers of {len(model.blocks)} kinds, {model.num_parameters:,} parameters."
    )
    for remark in filter(None, model.remark.split("; ")):
        click.echo(f"  {remark}")
