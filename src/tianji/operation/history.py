"""What an operation's folder tells of it: where it stands, and its attempts from the first to the last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from tianji.operation.accounting import Account, Steps, read_attempts, settle
from tianji.operation.controller import cordoned_chips
from tianji.operation.event_log import Event, read_events
from tianji.operation.folder import EVENTS, Holder, is_operated, read_holder
from tianji.operation.operating import Order
from tianji.units import Seconds

STATES = {
    "begin": "planning", "start": "starting", "training": "training", "checkpoint": "training", "failure": "fencing",
    "stop": "saving", "cordon": "", "uncordon": "", "grow": "fencing", "fenced": "planning", "wait": "waiting",
    "damaged checkpoint": "planning", "done": "done", "give up": "failed", "stopped": "stopped",
}  # fmt: skip
"""By event: the state that it leads to; empty where it changes none."""
ENDED = ("done", "failed", "stopped")
WAITS = ("planning", "waiting")
"""States in which nothing is trained until something comes."""
RECENT = 20
"""Steps whose median is the pace now."""


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt, from its start to its end."""

    number: int
    layout: str
    chips: tuple[int, ...]
    began: Seconds
    """Since 1970, as all times here; 0 where the events have no time of day."""
    ended: Seconds | None
    """None: it is at work."""
    first_step: int | None
    """None: it did none."""
    last_step: int | None
    end: str
    """What ended it: the kind of a failure, ``grow``, ``cordon``, ``stop``, ``done``, ``cut off``; empty while it is at work."""


@dataclass(frozen=True, slots=True)
class OperationHistory:
    """An operation as its folder has it."""

    folder: Path
    order: Order
    events: tuple[Event, ...]
    steps: Mapping[int, Steps]
    """By attempt."""
    is_operated: bool
    holder: Holder | None

    def __repr__(self) -> str:
        return f"OperationHistory({self.folder}: {self.state}, {len(self.events):,} events)"

    @property
    def state(self) -> str:
        """Where it stands; ``cut off`` where its controller is gone without a word."""
        state = next((s for e in reversed(self.events) if (s := STATES.get(str(e["event"]), ""))), "planning")
        return state if state in ENDED or self.is_operated else "cut off"

    @property
    def cause(self) -> str:
        """What it waits for, in words; empty while it waits for nothing that is known."""
        if self.state not in WAITS or not self.events:
            return ""
        last = next((e for e in reversed(self.events) if STATES.get(str(e["event"]), "")), self.events[-1])
        nodes = self.events[0].get("nodes", 0)
        if last["event"] == "begin":
            return f"it waits for the agents of {nodes} nodes to report"
        if last["event"] != "wait":
            return ""
        unheard = last["unheard"]
        late = list(unheard) if isinstance(unheard, list) else [None] * int(unheard)
        if late:
            numbers = ", ".join(str(n) for n in late if n is not None)
            which = f" ({numbers})" if numbers else ""
            return f"the agents of {len(late)} of {nodes} nodes{which} were never heard; the agent logs in its folder may say why"
        return f"{last['free']} chips are free, too few for a plan; failed chips and nodes are left out until they are repaired"

    @property
    def account(self) -> Account:
        """What its time went into."""
        return settle(self.events, self.steps)

    @property
    def done_steps(self) -> int:
        """Steps that are done and not to be done again, as far as is known."""
        latest = self.steps.get(max(self.steps, default=0), ())
        return int(latest[-1]["index"]) + 1 if latest else self.saved_steps

    @property
    def saved_steps(self) -> int:
        """Steps that the newest complete checkpoint holds."""
        saved = [e["step"] for e in self.events if e["event"] in ("checkpoint", "done")]
        return int(saved[-1]) + 1 if saved else 0

    @property
    def pace(self) -> Seconds | None:
        """The time of a step now."""
        latest = next((steps for _, steps in sorted(self.steps.items(), reverse=True) if steps), ())
        return median(s["seconds"] for s in latest[-RECENT:]) if latest else None

    @property
    def cordoned(self) -> tuple[int, ...]:
        """The chips that a person has taken out."""
        return tuple(sorted(cordoned_chips(self.events)))

    def attempts(self) -> Iterator[AttemptRecord]:
        """Yield its attempts in order."""
        for i, event in enumerate(self.events):
            if event["event"] == "start":
                yield self._describe(event, self.events[i + 1 :])

    def _describe(self, start: Event, later: Sequence[Event]) -> AttemptRecord:
        end, ended = "", None
        for event in later:
            kind = str(event["event"])
            if kind in ("failure", "grow", "stop", "done", "cordon", "begin", "start"):
                is_idle = kind == "cordon" and not set(event["chips"]) & set(start["chips"])
                if not is_idle:
                    end = str(event["kind"]) if kind == "failure" else "cut off" if kind in ("begin", "start") else kind
                    ended = seconds_of(event)
                    break
        steps = self.steps.get(start["attempt"], ())
        if not end and not self.is_operated:
            end, ended = "cut off", steps[-1]["at"] if steps else seconds_of(start)
        return AttemptRecord(
            start["attempt"], str(start.get("layout", "")), tuple(start.get("chips", ())), seconds_of(start), ended,
            steps[0]["index"] if steps else None, steps[-1]["index"] if steps else None, end,
        )  # fmt: skip


def seconds_of(event: Mapping[str, Any]) -> Seconds:
    """Return the time of day of an event, in seconds since 1970; 0 where it has none."""
    return datetime.fromisoformat(event["time"]).timestamp() if event.get("time") else 0.0


def read_history(folder: Path) -> OperationHistory:
    """Return what a folder tells of its operation, whether it is at work or not.

    Raises FormatError for a folder that is none of an operation, or is damaged.
    """
    folder = folder.resolve()
    order = Order.read(folder)
    events = read_events(folder / EVENTS) if (folder / EVENTS).exists() else []
    return OperationHistory(
        folder, order, tuple(events), read_attempts(folder), is_operated(folder), read_holder(folder)
    )
