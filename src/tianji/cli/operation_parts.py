"""``tianji operate status``, ``stop``, ``cordon``, ``uncordon`` and ``report``: an operation that runs, or ran, in a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tianji.cli.outputs import answering

if TYPE_CHECKING:
    from tianji.api.answer import Answer


@click.command("status")
@click.argument("folder")
@answering
def status_command(**options: Any) -> Answer[Any]:
    r"""Say where an operation stands: state, steps, chips, pace, who operates it.

    \b
    Examples:
      tianji operate status operation
      tianji operate status operation --json
    """
    from tianji.api.operation_parts import tell_status

    return tell_status(**options)


@click.command("report")
@click.argument("folder")
@click.option("--trace", metavar="FILE", help="Also write the attempts as a trace that opens in Perfetto.")
@answering
def report_command(**options: Any) -> Answer[Any]:
    r"""Tell an operation from its first attempt to its last: attempts, failures, losses, account.

    \b
    Examples:
      tianji operate report operation
      tianji operate report operation --html operation.html --trace attempts.json
    """
    from tianji.api.operation_parts import tell_report

    return tell_report(**options)


@click.command("stop")
@click.argument("folder")
@answering
def stop_command(**options: Any) -> Answer[Any]:
    r"""Ask the operation of a folder to save and end, as SIGTERM does; --resume goes on with it.

    \b
    Examples:
      tianji operate stop operation
    """
    from tianji.api.operation_parts import stop

    return stop(**options)


@click.command("cordon")
@click.argument("folder")
@click.option("--chips", required=True, metavar="LIST", help="Chips to take out, like 3 or 0-7,12.")
@answering
def cordon_command(**options: Any) -> Answer[Any]:
    r"""Take chips out, for a repair; a job that trains on one of them saves and goes on without them.

    \b
    Examples:
      tianji operate cordon operation --chips 8-15
    """
    from tianji.api.operation_parts import cordon

    return cordon(**options)


@click.command("uncordon")
@click.argument("folder")
@click.option("--chips", required=True, metavar="LIST", help="Chips to give back, like 3 or 0-7,12.")
@answering
def uncordon_command(**options: Any) -> Answer[Any]:
    r"""Give chips back that were taken out.

    \b
    Examples:
      tianji operate uncordon operation --chips 8-15
    """
    from tianji.api.operation_parts import uncordon

    return uncordon(**options)


PARTS = {c.name or "": c for c in (status_command, report_command, stop_command, cordon_command, uncordon_command)}
