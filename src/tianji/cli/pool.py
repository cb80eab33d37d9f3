"""``tianji pool``: a pool of chips for people without a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tianji.cli.outputs import answering

if TYPE_CHECKING:
    from tianji.api.answer import Answer


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
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="This node's address, as others reach it."
)
@click.option("--port", default=6379, show_default=True, metavar="N", help="Where the head listens.")
@click.option("--join", default="", metavar="HOST:PORT", help="Join the pool of that head, in place of starting one.")
@click.option("--token", default="", metavar="FILE", help="The head's token file, to join it.")
@click.option(
    "--place", default="", metavar="NAME", help="Where this node stands, outermost first, like pod-2.rack-07."
)
@answering
def up_command(**options: Any) -> Answer[Any]:
    r"""Start this machine's node: the head of a new pool, or with --join a node of one.

    \b
    Examples:
      tianji pool up --chips 4
      tianji pool up --host 10.0.0.1
      tianji pool up --host 10.0.0.2 --join 10.0.0.1:6379 --token head-token
    """
    from tianji.api.pool_control import up

    return up(**options)


@pool_command.command("status")
@answering
def status_command() -> Answer[Any]:
    r"""Show the nodes of the pool, and the chips that are free.

    \b
    Examples:
      tianji pool status
      tianji pool status --json
    """
    from tianji.api.pool_control import status

    return status()


@pool_command.command("down")
@answering
def down_command() -> Answer[Any]:
    r"""End what `tianji pool up` started on this machine, and nothing else.

    \b
    Examples:
      tianji pool down
    """
    from tianji.api.pool_control import down

    return down()
