"""What an operation's time went into: from the steps that rank 0 wrote down in each attempt, and from the events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from tianji.backends.journal import read_journal
from tianji.operation.settings import LOOK
from tianji.reliability import efficiency
from tianji.units import Seconds

Steps = Sequence[Mapping[str, Any]]
"""The steps of one attempt: ``index``, ``at`` when it was done, and ``seconds`` that it took."""


@dataclass(frozen=True, slots=True)
class Account:
    """Times in seconds of wall clock, from the begin of the first step to the end of the last, without pauses."""

    steps: int
    """Steps that lasted."""
    lost_steps: int
    """Steps that were done again."""
    seconds: Seconds
    useful: Seconds
    """Time of the steps that lasted, saves included."""
    attempts: int
    failures: int
    growths: int
    """Changes to a plan for more chips, as soon as a checkpoint is seen: each costs a restart and the steps since then."""
    recoveries: tuple[Seconds, ...]
    """From the last step of an attempt to the begin of the first of the next, detection included."""

    @property
    def step_time(self) -> Seconds:
        """The mean time of a step, saves included."""
        return self.useful / self.steps if self.steps else 0.0

    @property
    def goodput(self) -> float:
        """The share of the time that went into steps that lasted."""
        return self.useful / self.seconds if self.seconds else 0.0

    @property
    def recovery_time(self) -> Seconds:
        """The mean recovery."""
        return fmean(self.recoveries) if self.recoveries else 0.0

    def expect(self, interval: int) -> float:
        """Return the goodput by the renewal formula for checkpoints ``interval`` steps apart.

        With this account's failure rate, recovery time and step time. Each growth costs a restart more and what was done since
        its checkpoint: half of the time between two looks at the store, or between two checkpoints where these come faster.
        Saves are in the step time on both sides.
        """
        if not self.seconds:
            return 1.0
        between = interval * self.step_time
        growth = self.recovery_time + min(between, LOOK) / 2.0
        left = max(1.0 - self.growths * growth / self.seconds, 0.0)
        if not self.failures:
            return left
        return left * efficiency(between, 0.0, self.recovery_time, left * self.seconds / self.failures)


def settle(events: Sequence[Mapping[str, Any]], attempts: Mapping[int, Steps]) -> Account:
    """Return the account of an operation's events and of the steps of its attempts, by their numbers."""
    tracks = {number: steps for number, steps in sorted(attempts.items()) if steps}
    lasting: dict[int, Seconds] = {}
    for steps in tracks.values():
        before = steps[0]["at"] - steps[0]["seconds"]
        for step in steps:
            lasting[step["index"]] = step["at"] - before
            before = step["at"]
    numbers, pauses = list(tracks), find_pauses(events)
    gaps = {
        number: (tracks[earlier][-1]["at"], tracks[number][0]["at"] - tracks[number][0]["seconds"])
        for earlier, number in pairwise(numbers)
    }
    paused = {number: sum(_overlap(gap, pause) for pause in pauses) for number, gap in gaps.items()}
    # Where an attempt without a step lies between, a second failure came during the recovery: the formula knows of those.
    single = tuple(end - begin for number, (begin, end) in gaps.items() if number - 1 in tracks and not paused[number])
    first, last = (tracks[numbers[0]][0], tracks[numbers[-1]][-1]) if numbers else ({}, {})
    done = sum(len(steps) for steps in tracks.values())
    return Account(
        steps=len(lasting),
        lost_steps=done - len(lasting),
        seconds=last["at"] - first["at"] + first["seconds"] - sum(paused.values()) if numbers else 0.0,
        useful=sum(lasting.values()),
        attempts=sum(e["event"] == "start" for e in events),
        failures=sum(e["event"] == "failure" for e in events),
        growths=sum(e["event"] == "grow" for e in events),
        recoveries=single,
    )


def find_pauses(events: Sequence[Mapping[str, Any]]) -> list[tuple[Seconds, Seconds]]:
    """Return the times in which nobody operated: from the last event before a begin to that begin, as seconds since 1970.

    Events without a time of day, as older ones are, tell of none.
    """
    return [
        (_seconds(before["time"]), _seconds(event["time"]))
        for before, event in pairwise(events)
        if event["event"] == "begin" and before.get("time") and event.get("time")
    ]


def _seconds(stamp: str) -> Seconds:
    return datetime.fromisoformat(stamp).timestamp()


def _overlap(a: tuple[Seconds, Seconds], b: tuple[Seconds, Seconds]) -> Seconds:
    return max(min(a[1], b[1]) - max(a[0], b[0]), 0.0)


def read_attempts(folder: Path) -> dict[int, Steps]:
    """Return the steps of each attempt of an operation's folder."""
    journals = folder.glob("attempts/*/rank-00000.jsonl")
    numbered = {int(path.parent.name): path for path in journals if path.parent.name.isdecimal()}
    return {number: [e for e in read_journal(path) if e["event"] == "step"] for number, path in numbered.items()}
