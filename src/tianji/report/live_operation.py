"""An operation as it goes on, for a terminal that is drawn again and again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tianji.parallel.layouts import abbreviate_layout

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tianji.operation.operating import Operation

LATEST = 6
"""Events that the live view shows."""


def draw_operation(operation: Operation) -> RenderableType:
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
        log.add_row(f"{event['at']:.1f} s", Text(describe_event(event)))
    return Group(head, nodes, log)


def describe_event(event: Mapping[str, Any]) -> str:
    """Return an event in a line: its kind and its own fields.

    >>> describe_event({"n": 1, "at": 10.0, "event": "wait", "free": 0, "unheard": [1]})
    'wait free=0 unheard=[1]'
    """
    facts = " ".join(f"{k}={v}" for k, v in event.items() if k not in ("n", "at", "event"))
    return f"{event['event']} {facts}"
