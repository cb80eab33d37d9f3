"""``tianji operate``: keep a job going while chips die."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tianji.cli.options import drop_strategy_options, job_options, strategy_options
from tianji.cli.output import print_json
from tianji.cli.outputs import Outputs, output_options
from tianji.cli.prediction import find_plan
from tianji.errors import FormatError, RunError

if TYPE_CHECKING:
    from tianji.operation.operating import Operation, Order


@click.command("operate")
@click.argument("model_or_plan", required=False)
@click.argument("pool", required=False)
@strategy_options
@job_options
@click.option("--steps", default=100, show_default=True, metavar="N", help="Optimizer steps of the whole job.")
@click.option("--node", metavar="N", help="Chips of one node, each with an agent.  [default: the pool's own]")
@click.option("--spares", default=0, show_default=True, metavar="N", help="Nodes that stand by until one fails.")
@click.option(
    "--checkpoint-every",
    default=0,
    show_default=True,
    metavar="N",
    help="Steps between checkpoints; 0: as the reliability model recommends.",
)
@click.option(
    "--mtbf", metavar="TIME", help='Expected between failures of the job, like "6 h".  [default: by the profile]'
)
@click.option("--save-time", metavar="TIME", help="How long one checkpoint stops the training.  [default: by its size]")
@click.option(
    "--repair-time",
    default="10 min",
    show_default=True,
    metavar="TIME",
    help="How long a chip or node is left out after its failure.",
)
@click.option(
    "--hang-time",
    default="10 s",
    show_default=True,
    metavar="TIME",
    help="A worker or an agent without a sign of life for this long has failed.",
)
@click.option(
    "--data", default="", metavar="PATH", help="A text, or token numbers.  [default: a short text that ships]"
)
@click.option("--optimizer", default="adamw", show_default=True, metavar="adamw|sgd", help="What updates the weights.")
@click.option("--learning-rate", default=1e-3, show_default=True, metavar="X", help="Step size of the optimizer.")
@click.option("--seed", default=0, show_default=True, metavar="N", help="Of the first weights, or of the simulation.")
@click.option(
    "--engine",
    default="local",
    show_default=True,
    metavar="local|ray",
    help="Where the nodes are: all on this machine, or on the hosts of a Ray cluster.",
)
@click.option(
    "--out", default="operation", show_default=True, metavar="DIR", help="A new folder for all that is written."
)
@click.option("--resume", metavar="DIR", help="Go on with an operation that was stopped or cut off.")
@click.option(
    "--simulate", is_flag=True, help="Play the controller in the simulated pool of --seed, and print its events."
)
@output_options
def operate_command(
    model_or_plan: str | None, pool: str | None, resume: str | None, simulate: bool, outputs: Outputs, **options: Any
) -> None:  # fmt: skip
    r"""Train a job and keep it going while its chips die.

    Takes a plan file, or a MODEL and a POOL, as `tianji predict` does; how the model is cut is found anew for the chips that are
    left. A process or an agent that dies or hangs is noticed, what is left of the attempt is ended, a spare is taken or the job
    shrinks, and training goes on from the last complete checkpoint. Ctrl-C ends cleanly; --resume goes on.

    \b
    Examples:
      tianji operate ./config.json hgx-h100 --chips 4 --node 2 --batch 8 --seq 32 --precision fp32 --steps 200
      tianji operate plan.json --spares 1 --out runs/long
      tianji operate plan.json --engine ray --out shared/long
      tianji operate --resume runs/long
      tianji operate --simulate --seed 7
    """
    if simulate:
        _simulate(int(options["seed"]), outputs.as_json)
        return
    from tianji.operation.operating import begin, go_on

    if resume is None and model_or_plan is None:
        raise click.MissingParameter(param_hint="MODEL_OR_PLAN", param_type="argument")
    if resume is not None and model_or_plan is not None:
        raise FormatError("--resume goes on with the job of its folder: leave out what else is named")
    with _show() as watch:
        if resume is not None:
            outcome = go_on(Path(resume), watch)
        else:
            assert model_or_plan is not None
            outcome = begin(_read_order(model_or_plan, pool, options), Path(options["out"]), watch)
    from tianji.report.documents.operation import operation_document

    outputs.present(operation_document(outcome))
    if outcome.state.value == "failed":
        raise RunError(f"given up: {outcome.reason}; the logs are in {outcome.folder}")
    if outcome.state.value == "stopped":
        click.echo(f"tianji: interrupted; go on with: tianji operate --resume {outcome.folder}", err=True)
        sys.exit(130)


_OWN = (
    "steps", "node", "spares", "checkpoint_every", "mtbf", "save_time", "repair_time", "hang_time", "data", "optimizer",
    "learning_rate", "seed", "out", "engine",
)  # fmt: skip


def _read_order(model_or_plan: str, pool: str | None, options: dict[str, Any]) -> Order:
    from dataclasses import replace

    from tianji.backends.options import RunOptions
    from tianji.operation.operating import Order, recommend
    from tianji.operation.settings import Settings
    from tianji.units import parse_count

    own = {name: options[name] for name in _OWN}
    rest = {name: value for name, value in options.items() if name not in _OWN}
    found, calibration = find_plan(model_or_plan, pool, rest)
    if own["node"] is not None:
        found = replace(found, pool=replace(found.pool, node=parse_count(own["node"], "--node")))
    repair, hang = _read_time(own, "repair_time"), _read_time(own, "hang_time")
    settings = Settings(
        steps=own["steps"], spares=own["spares"], checkpoint_every=own["checkpoint_every"], heartbeat_timeout=hang,
        node_timeout=hang, quarantine=repair,
    )  # fmt: skip
    run = RunOptions(
        steps=own["steps"], warmup=0, data=str(Path(own["data"]).resolve()) if own["data"] else "", seed=own["seed"],
        optimizer=own["optimizer"], learning_rate=own["learning_rate"],
    )  # fmt: skip
    mtbf = None if own["mtbf"] is None else _read_time(own, "mtbf")
    save = None if own["save_time"] is None else _read_time(own, "save_time")
    if mtbf is None or save is None:
        advice = recommend(found, calibration)
        mtbf, save = mtbf or advice[0], save or advice[1]
    name = drop_strategy_options(rest)["calibration"]
    return Order(found, settings, run, mtbf=mtbf, save_time=save, repair=repair, calibration=name, engine=own["engine"])


def _read_time(own: dict[str, Any], name: str) -> float:
    from tianji.units import parse

    option = "--" + name.replace("_", "-")
    value = parse(own[name], "time", option)
    if value <= 0:
        raise FormatError(f"{option}: expected a time above zero, got {own[name]}")
    return value


@contextmanager
def _show() -> Iterator[Callable[[Operation], None] | None]:
    """Show the operation live on stderr, for a person at a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.live import Live

    from tianji.report.live_operation import draw_operation

    with Live(console=Console(stderr=True), transient=True, refresh_per_second=4) as live:
        yield lambda operation: live.update(draw_operation(operation))


def _simulate(seed: int, as_json: bool) -> None:
    from tianji.operation.simulation import play

    played = play(seed)
    if as_json:
        print_json({
            "seed": seed, "state": played.state.value, "simulated_s": played.seconds, "faults": played.faults,
            "events": played.log.events,
        })  # fmt: skip
        return
    click.echo(played.log.text(), nl=False)
