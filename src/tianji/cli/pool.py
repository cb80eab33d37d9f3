"""``tianji pool``: a pool of chips for people without a cluster."""

from __future__ import annotations

from dataclasses import asdict

import click

from tianji.cli.options import json_option
from tianji.cli.output import print_json
from tianji.cli.outputs import Outputs, output_options


@click.group("pool")
def pool_command() -> None:
    r"""Start, show and end a pool of chips under Ray.

    For machines without a cluster: a head on one, nodes that join it on others. While a pool is up, `--engine ray` uses it;
    RAY_ADDRESS names another cluster. Needs the extra: pip install '.[ray]'.

    \b
    Examples:
      tianji pool up --chips 4
      tianji pool status
      tianji pool down
    """


@pool_command.command("up")
@click.option(
    "--chips", type=click.IntRange(1), metavar="N", help="Chips to offer.  [default: accelerators, or else CPUs]"
)
@click.option("--cpus", type=click.IntRange(1), metavar="N", help="CPUs for sweeps.  [default: all]")
@click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Own address that others reach."
)
@click.option("--port", default=6379, show_default=True, metavar="N", help="Where the head listens.")
@click.option("--join", default="", metavar="HOST:PORT", help="Join the pool of that head, in place of starting one.")
@click.option("--token", default="", metavar="FILE", help="The head's token file, to join it.")
@click.option(
    "--place", default="", metavar="NAME", help="Where this node stands, outermost first, like pod-2.rack-07."
)
@json_option
def up_command(
    chips: int | None, cpus: int | None, host: str, port: int, join: str, token: str, place: str, as_json: bool
) -> None:
    r"""Start this machine's node: the head of a new pool, or with --join a node of one.

    \b
    Examples:
      tianji pool up --chips 4
      tianji pool up --host 10.0.0.1
      tianji pool up --host 10.0.0.2 --join 10.0.0.1:6379 --token head-token
    """
    from tianji.backends.ray_cluster.pool_control import start_pool

    state = start_pool(chips, cpus, host, port, join, token, place)
    if as_json:
        print_json(asdict(state))
        return
    click.echo(f"{state.role} of the pool {state.address} is up with {state.chips} chips (process {state.pid}).")
    if state.role == "head" and not state.host.startswith("127."):
        click.echo(f"\nOn each further host, with a copy of {state.token_file}:")
        click.echo(f"  tianji pool up --host ITS-ADDRESS --join {state.address} --token COPY")
    click.echo("\n`tianji run PLAN.json --engine ray` trains on it; `tianji pool down` ends it.")


@pool_command.command("status")
@output_options
def status_command(outputs: Outputs) -> None:
    r"""Show the nodes of the pool, and the chips that are free.

    \b
    Examples:
      tianji pool status
      tianji pool status --json
    """
    from tianji.backends.ray_cluster.pool_control import read_status
    from tianji.report.documents.pool_status import pool_status_document

    outputs.present(pool_status_document(read_status()))


@pool_command.command("down")
@json_option
def down_command(as_json: bool) -> None:
    r"""End what `tianji pool up` started on this machine, and nothing else.

    \b
    Examples:
      tianji pool down
    """
    from tianji.backends.ray_cluster.pool_control import end_pool

    state = end_pool()
    if as_json:
        print_json({"ended": asdict(state)})
        return
    click.echo(f"{state.role} of the pool {state.address} is down.")
