"""``tianji operate status``, ``stop``, ``cordon``, ``uncordon`` and ``report``: an operation that runs, or ran, in a folder."""

from __future__ import annotations

import re
from pathlib import Path

import click

from tianji.cli.options import json_option
from tianji.cli.output import print_json
from tianji.cli.outputs import Outputs, output_options
from tianji.errors import FormatError

MOST_RANGE = 131_072


@click.command("status")
@click.argument("folder")
@output_options
def status_command(folder: str, outputs: Outputs) -> None:
    r"""Say where an operation stands: state, steps, chips, pace, who operates it.

    \b
    Examples:
      tianji operate status operation
      tianji operate status operation --json
    """
    from tianji.operation.history import read_history
    from tianji.report.documents.operation_status import operation_status_document

    outputs.present(operation_status_document(read_history(Path(folder))))


@click.command("report")
@click.argument("folder")
@click.option("--trace", metavar="FILE", help="Also write the attempts as a trace that opens in Perfetto.")
@output_options
def report_command(folder: str, trace: str | None, outputs: Outputs) -> None:
    r"""Tell an operation from its first attempt to its last: attempts, failures, losses, account.

    \b
    Examples:
      tianji operate report operation
      tianji operate report operation --html operation.html --trace attempts.json
    """
    from tianji.operation.attempt_trace import write_trace
    from tianji.operation.history import read_history
    from tianji.report.documents.operation_report import operation_report_document

    history = read_history(Path(folder))
    if trace:
        write_trace(history, Path(trace))
        click.echo(f"Wrote the attempts to {trace}; open it at ui.perfetto.dev.", err=True)
    outputs.present(operation_report_document(history))


@click.command("stop")
@click.argument("folder")
@json_option
def stop_command(folder: str, as_json: bool) -> None:
    r"""Ask the operation of a folder to save and end, as SIGTERM does; --resume goes on with it.

    \b
    Examples:
      tianji operate stop operation
    """
    _ask(folder, "stop", (), as_json)


@click.command("cordon")
@click.argument("folder")
@click.option("--chips", required=True, metavar="LIST", help="Chips to take out, like 3 or 0-7,12.")
@json_option
def cordon_command(folder: str, chips: str, as_json: bool) -> None:
    r"""Take chips out, for a repair; a job that trains on one of them saves and goes on without them.

    \b
    Examples:
      tianji operate cordon operation --chips 8-15
    """
    _ask(folder, "cordon", parse_chips(chips), as_json)


@click.command("uncordon")
@click.argument("folder")
@click.option("--chips", required=True, metavar="LIST", help="Chips to give back, like 3 or 0-7,12.")
@json_option
def uncordon_command(folder: str, chips: str, as_json: bool) -> None:
    r"""Give chips back that were taken out.

    \b
    Examples:
      tianji operate uncordon operation --chips 8-15
    """
    _ask(folder, "uncordon", parse_chips(chips), as_json)


PARTS = {c.name or "": c for c in (status_command, report_command, stop_command, cordon_command, uncordon_command)}


def _ask(folder: str, request: str, chips: tuple[int, ...], as_json: bool) -> None:
    from tianji.operation.folder import send_request
    from tianji.operation.operating import Order

    order = Order.read(Path(folder))
    outside = [chip for chip in chips if chip >= order.plan.pool.chips]
    if outside:
        raise FormatError(f"--chips: the operation has chips 0 to {order.plan.pool.chips - 1:,}, got {outside[0]:,}")
    send_request(Path(folder), request, chips)
    if as_json:
        print_json({"folder": folder, "request": request, "chips": list(chips)})
        return
    click.echo(f"Asked the operation in {folder} to {request}; `tianji operate status {folder}` says how it stands.")


def parse_chips(text: str) -> tuple[int, ...]:
    """Return the chips that a list of numbers and ranges names.

    Raises FormatError for any other text.

    >>> parse_chips("0-2, 7")
    (0, 1, 2, 7)
    """
    chips: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})(?:-(\d{1,9}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not 0 <= last - first < MOST_RANGE:
            raise FormatError(f"--chips: expected numbers and ranges like 0-7,12, got {text!r:.60}")
        chips |= set(range(first, last + 1))
    return tuple(sorted(chips))
