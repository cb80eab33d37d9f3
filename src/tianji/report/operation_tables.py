"""An operation as tables: live while it goes on, and its account at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tianji.operation.operating import EVENTS
from tianji.parallel.layouts import abbreviate_layout

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from tianji.operation.operating import Operation, OperationOutcome

LATEST = 6
"""Events that the live view shows."""


def operation_view(operation: Operation) -> RenderableType:
    """Return what stands now: state, plan, step, each node, and the latest events."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    controller, steps = operation.controller, operation.order.settings.steps
    layout = abbreviate_layout(controller.proposal.plan.strategy) if controller.proposal else "-"
    head = Text(
        f"{controller.state.value}   attempt {controller.number}   {layout}   step {controller.step + 1:,} of {steps:,}"
        f"   saved {0 if controller.saved is None else controller.saved + 1:,}   failures {controller.failures}"
    )
    nodes = Table("node", "chips: # works, . idle, x failed", box=None)
    for number in range(controller.nodes):
        heard = controller.heard.get(number)
        marks = "not heard" if heard is None else "dead" if heard.report.dead else ""
        if heard is not None and not heard.report.dead:
            free = set(controller.free_chips())
            marks = "".join("#" if c.busy() else "." if c.chip in free else "x" for c in heard.report.chips)
        nodes.add_row(str(number), marks)
    log = Table("at", "event", box=None)
    for event in operation.log.events[-LATEST:]:
        facts = " ".join(f"{k}={v}" for k, v in event.items() if k not in ("n", "at", "event"))
        log.add_row(f"{event['at']:.1f} s", Text(f"{event['event']} {facts}"))
    return Group(head, nodes, log)


def operation_document(outcome: OperationOutcome) -> dict[str, Any]:
    """Return an operation's account for JSON."""
    account = outcome.account
    return {
        "state": outcome.state.value,
        "reason": outcome.reason,
        "folder": str(outcome.folder),
        "events": str(outcome.folder / EVENTS),
        "steps": account.steps,
        "seconds": account.seconds,
        "step_time_s": account.step_time,
        "attempts": account.attempts,
        "failures": account.failures,
        "growths": account.growths,
        "recovery_time_s": account.recovery_time,
        "lost_steps": account.lost_steps,
        "goodput": account.goodput,
    }


def print_operation(console: Console, outcome: OperationOutcome) -> None:
    """Print an operation's account."""
    account = outcome.account
    rows = [
        ("State", outcome.state.value + (f": {outcome.reason}" if outcome.reason else "")),
        ("Steps", f"{account.steps:,} that last, {account.lost_steps:,} done again"),
        ("Failures", f"{account.failures}, and {account.growths} restarts to grow, in {account.attempts} attempts"),
        ("Recovery", f"{account.recovery_time:.3g} s on average, from the last step to the next attempt's first"),
        ("Goodput", f"{account.goodput:.1%} of {account.seconds:,.3g} s"),
        ("Events", str(outcome.folder / EVENTS)),
    ]
    for name, text in rows:
        console.print(f"{name:<9} {text}", markup=False, soft_wrap=True)
