"""``tianji catalog``: what is known of chips, pools, models, calibrations, failures, sites and prices, and from where."""

from __future__ import annotations

import click

from tianji.cli.outputs import Outputs, output_options
from tianji.errors import FormatError, UnknownNameError

KINDS = ("chips", "pools", "models", "calibrations", "failures", "mixtures", "sites", "prices")


@click.command("catalog")
@click.argument("kind", required=False)
@click.argument("name", required=False)
@click.option("--toml", "as_toml", is_flag=True, help="Print the entry's file as it is, to copy and change.")
@output_options
def catalog_command(kind: str | None, name: str | None, as_toml: bool, outputs: Outputs) -> None:
    r"""List and show what is known, every figure with its source.

    KIND is chips, pools, models, calibrations, failures, mixtures, sites or prices; NAME one entry of it, or the path of your own
    file. Figures of other sources that contradict the one in use are shown beside it.

    \b
    Examples:
      tianji catalog
      tianji catalog pools
      tianji catalog chips ascend-950dt
      tianji catalog failures ascend-10k-claim
      tianji catalog pools hgx-h100 --toml > my-pool.toml
    """
    if kind is not None and kind not in KINDS:
        kind, name = _find_kind(kind, name)
    if as_toml and outputs.as_json:
        raise FormatError("--toml and --json exclude each other; give one of them")
    if as_toml:
        click.echo(_read_file(kind, name), nl=False)
        return
    from tianji.report.documents.catalog import catalog_document, entry_document

    if kind is not None and name is not None:
        outputs.present(entry_document(kind, name))
    else:
        outputs.present(catalog_document(KINDS if kind is None else (kind,)))


def _find_kind(word: str, name: str | None) -> tuple[str, str]:
    """Return kind and name of an entry that was named without its kind."""
    from tianji.report.documents.catalog import KINDS as LISTERS

    lists = {kind: LISTERS[kind]() for kind in KINDS}
    places = [kind for kind, names in lists.items() if word.lower() in names]
    if name is None and len(places) == 1:
        return places[0], word
    if name is None and places:
        raise FormatError(
            f"{word}: there is one of that name in {' and in '.join(places)}; say which, like {places[0]} {word}"
        )
    known = KINDS if name is not None else [*KINDS, *(n for names in lists.values() for n in names)]
    raise UnknownNameError("kind" if name is not None else "kind or entry", word, known)


def _read_file(kind: str | None, name: str | None) -> str:
    from tianji.catalog import read_text
    from tianji.catalog.models import describe_model

    if kind is None or name is None:
        raise FormatError(
            "--toml prints one entry: expected a kind and a name, like `tianji catalog chips h200 --toml`"
        )
    if kind == "models":
        file = describe_model(name).folder / "model.toml"
        if not file.is_file():
            raise FormatError(f"{name}: has no model.toml beside its config.json")
        return file.read_text(encoding="utf-8")
    return read_text(kind, name)
