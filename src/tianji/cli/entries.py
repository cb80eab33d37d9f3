"""``tianji browse``: what is known of chips, pools, models, software, prices and more, and from where."""

from __future__ import annotations

import click

from tianji.cli.outputs import Outputs, output_options
from tianji.errors import FormatError

KINDS = ("chips", "pools", "models", "calibrations", "failures", "mixtures", "sites", "prices", "software")


@click.command("browse")
@click.argument("kind", required=False)
@click.argument("name", required=False)
@click.option("--toml", "as_toml", is_flag=True, help="Print the entry's file as it is, to copy and change.")
@output_options
def browse_command(kind: str | None, name: str | None, as_toml: bool, outputs: Outputs) -> None:
    r"""List and show what is known, every figure with its source.

    KIND is chips, pools, models, calibrations, failures, mixtures, sites, prices or software; NAME one entry of it, or the path
    of your own file. Figures of other sources that contradict the one in use are shown beside it.

    \b
    Examples:
      tianji browse
      tianji browse pools
      tianji browse chips ascend-950dt
      tianji browse failures ascend-10k-claim
      tianji browse software megatron-bridge
      tianji browse pools hgx-h100 --toml > my-pool.toml
    """
    from tianji.api.browsing import browse, find_kind

    if as_toml and outputs.as_json:
        raise FormatError("--toml and --json exclude each other; give one of them")
    if not as_toml:
        outputs.present(browse(kind, name))
        return
    if kind is not None and kind not in KINDS:
        kind, name = find_kind(kind, name)
    click.echo(_read_file(kind, name), nl=False)


def _read_file(kind: str | None, name: str | None) -> str:
    from tianji.catalog import read_text
    from tianji.catalog.models import describe_model

    if kind is None or name is None:
        raise FormatError("--toml prints one entry: expected a kind and a name, like `tianji browse chips h200 --toml`")
    if kind == "models":
        file = describe_model(name).folder / "model.toml"
        if not file.is_file():
            raise FormatError(f"{name}: has no model.toml beside its config.json")
        return file.read_text(encoding="utf-8")
    return read_text(kind, name)
