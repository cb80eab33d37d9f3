"""``operate``: a job that is kept going while its chips die."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tianji.api.answer import Answer
from tianji.api.quantities import Count, Quantity, read_duration
from tianji.api.requests import File, ModelLike, PlanLike, PoolLike, Sizes, StrategyLike, find_plan
from tianji.backends.options import RunOptions
from tianji.errors import FormatError
from tianji.formatting import format_percent
from tianji.operation.operating import Operation, OperationOutcome, Order, begin, go_on, recommend
from tianji.operation.settings import Settings
from tianji.operation.simulation import Play, play
from tianji.report.documents.operation import operation_document
from tianji.report.documents.simulation import simulation_document
from tianji.report.live_operation import describe_event, draw_operation
from tianji.units import parse_count
from tianji.workload import Precision


def operate(
    model_or_plan: ModelLike | PlanLike | None = None,
    pool: PoolLike | None = None,
    strategy: StrategyLike | None = None,
    *,
    steps: int = 100,
    node: Count | None = None,
    spares: int = 0,
    checkpoint_every: int = 0,
    mtbf: Quantity | None = None,
    save_time: Quantity | None = None,
    repair_time: Quantity = "10 min",
    hang_time: Quantity = "10 s",
    data: File = "",
    optimizer: str = "adamw",
    learning_rate: float = 1e-3,
    seed: int = 0,
    engine: str = "local",
    out: File = "operation",
    resume: File | None = None,
    openmetrics: Count | None = None,
    simulate: bool = False,
    chips: Count | None = None,
    batch: Count | None = None,
    seq: Count | None = None,
    tokens: Quantity | None = None,
    precision: str | Precision | None = None,
    optimizer_dtype: str | None = None,
    moe_imbalance: Quantity | None = None,
    calibration: File | None = None,
    **fields: Any,
) -> Answer[OperationOutcome] | Answer[Play]:
    """Train a job and keep it going while its chips die.

    Takes a plan, or a model and a pool, as ``tianji.predict`` does; how the model is
    cut is chosen anew for the chips that are left. Everything goes to the new folder
    ``out``; ``resume`` is the folder of an operation to go on with.

    * ``node`` chips share an agent; ``spares`` nodes stand by until one fails.
    * ``checkpoint_every`` steps, by ``mtbf`` and ``save_time`` where it is 0.
    * ``repair_time``: how long a chip or node is left out; ``hang_time``: without a
      sign of life for this long it has failed. Times are texts like ``"10 min"`` or
      seconds.
    * ``openmetrics``: a port of this host (0: any) that answers ``/metrics`` with
      OpenMetrics text while the operation is at work.
    * ``simulate=True`` plays the controller in the simulated pool of ``seed``.

    ``answer.state`` says how it ended: done, stopped or failed. Needs the extra
    ``tianji[run]``.
    """
    if simulate:
        played = play(seed)
        return _answer_simulation(played)
    port = None if openmetrics is None else parse_count(openmetrics, "--openmetrics")
    if resume is not None and model_or_plan is not None:
        raise FormatError("--resume goes on with the job of its folder: leave out what else is named")
    if resume is not None:
        with _live() as watch:
            outcome = go_on(Path(resume), watch, port)
        return _answer_operation(outcome)
    if model_or_plan is None:
        raise FormatError("expected a plan, a model and a pool, or --resume with the folder of an operation")
    sizes = Sizes(chips, batch, seq, tokens, precision, optimizer_dtype, moe_imbalance)
    plan, constants = find_plan("operate", model_or_plan, pool, strategy, fields, sizes, calibration)
    if node is not None:
        plan = replace(plan, pool=replace(plan.pool, node=parse_count(node, "--node")))
    hang = read_duration(hang_time, "--hang-time")
    settings = Settings(
        steps=steps, spares=spares, checkpoint_every=checkpoint_every, heartbeat_timeout=hang, node_timeout=hang,
        quarantine=read_duration(repair_time, "--repair-time"),
    )  # fmt: skip
    options = RunOptions(
        steps=steps, warmup=0, data=str(Path(data).resolve()) if data else "", seed=seed, optimizer=optimizer,
        learning_rate=learning_rate,
    )  # fmt: skip
    expected = None if mtbf is None else read_duration(mtbf, "--mtbf")
    save = None if save_time is None else read_duration(save_time, "--save-time")
    if expected is None or save is None:
        advice = recommend(plan, constants)
        expected, save = expected or advice[0], save or advice[1]
    name = "default" if calibration is None else str(calibration)
    order = Order(
        plan,
        settings,
        options,
        mtbf=expected,
        save_time=save,
        repair=settings.quarantine,
        calibration=name,
        engine=engine,
    )
    with _live() as watch:
        outcome = begin(order, Path(out), watch, port)
    return _answer_operation(outcome)


SAID = ("wait", "failure", "give up")
"""Events that are said on stderr where nobody looks at a live view."""


@contextmanager
def _live() -> Iterator[Callable[[Operation], None] | None]:
    """Show the operation live on stderr, for a person at a terminal; elsewhere say there what it waits for and what fails."""
    if not sys.stderr.isatty():
        count = 0

        def tell(operation: Operation) -> None:
            nonlocal count
            new, count = operation.log.events[count:], len(operation.log.events)
            for event in new:
                if event["event"] in SAID:
                    print(f"tianji: {describe_event(event)}", file=sys.stderr)

        yield tell
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), transient=True, refresh_per_second=4) as live:
        yield lambda operation: live.update(draw_operation(operation))


def _answer_operation(outcome: OperationOutcome) -> Answer[OperationOutcome]:
    account = outcome.account
    summary = (
        f"operation in {outcome.folder}: {outcome.state.value}, {account.steps:,} steps, {account.failures} failures,"
        f" goodput {format_percent(account.goodput)}"
    )
    return Answer(outcome, summary, partial(operation_document, outcome), outcome.calibration)


def _answer_simulation(played: Play) -> Answer[Play]:
    summary = f"simulated operation of seed {played.seed}: {played.state.value} after {played.seconds:,.0f} s"
    return Answer(played, summary, partial(simulation_document, played), text=played.log.text())
