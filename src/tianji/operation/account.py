"""What an operation's time went into, from its events alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from tianji.reliability import efficiency
from tianji.units import Seconds


@dataclass(frozen=True, slots=True)
class Account:
    """Times in seconds of wall clock; interruptions between two operations of a folder are left out."""

    steps: int
    """That are done and were not lost again."""
    seconds: Seconds
    """From the first step to the end."""
    step_time: Seconds
    """Mean of all steps without failures and restarts, saves included."""
    attempts: int
    failures: int
    recoveries: tuple[Seconds, ...]
    """From each failure's detection to the next attempt's first step."""
    lost_steps: int
    """Done again."""

    @property
    def goodput(self) -> float:
        """The share of the time that went into steps that lasted."""
        return min(self.steps * self.step_time / self.seconds, 1.0) if self.seconds else 0.0

    @property
    def recovery_time(self) -> Seconds:
        """The mean recovery."""
        return fmean(self.recoveries) if self.recoveries else 0.0

    def expect(self, interval: int) -> float:
        """Return the goodput by the renewal formula, with this account's failure rate, recovery time and step time.

        Saves are in the step time on both sides, so that they count neither here nor there.
        """
        working = self.seconds - sum(self.recoveries)
        if not self.failures or working <= 0:
            return 1.0
        return efficiency(interval * self.step_time, 0.0, self.recovery_time, working / self.failures)


def settle(events: Sequence[Mapping[str, Any]]) -> Account:
    """Return the account of an operation's events."""
    last, first = -1, None
    began: Mapping[str, Any] | None = None
    recoveries, lost, done, busy = [], 0, 0, 0.0
    attempts = sum(e["event"] == "start" for e in events)
    for event in events:
        kind = event["event"]
        if kind == "training":
            began = event
            first = event["at"] if first is None else first
            if event["at"] != first:
                recoveries.append(float(event["seconds"]))
        if kind in ("failure", "grow", "stop", "done") and began is not None:
            done, busy = done + event_step(event) - began["step"], busy + event["at"] - began["at"]
            last, began = max(last, event_step(event)), None
        if kind == "failure":
            saved = -1 if event["saved"] is None else event["saved"]
            lost += max(event["step"] - saved, 0)
    end = events[-1]["at"] if events else 0.0
    failures = sum(e["event"] == "failure" for e in events)
    seconds = end - first if first is not None else 0.0
    return Account(last + 1, seconds, busy / done if done else 0.0, attempts, failures, tuple(recoveries), lost)


def event_step(event: Mapping[str, Any]) -> int:
    """Return the last step that was done at an event."""
    return int(event["step"])
