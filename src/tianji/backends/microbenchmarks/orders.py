"""What the ranks of a measurement are told, and what they write down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tianji.backends.journal import read_journal
from tianji.units import Bytes, Seconds


@dataclass(frozen=True, slots=True)
class Orders:
    """The measurement of ``world`` ranks that are all at work at once; it travels to them as JSON."""

    world: int
    device: str = ""
    """``cpu`` forces the CPU; empty: what torch finds."""
    rounds: int = 5
    """How often each measurement is repeated."""
    seconds: Seconds = 0.05
    """How long one repetition lasts at least."""

    def text(self) -> str:
        """Return the orders as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> Orders:
        """Return the orders that :meth:`text` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class TimedSample:
    """One thing that was timed: seconds of one call on the slowest rank, once for each round."""

    probe: str
    facts: Mapping[str, float | str]
    seconds: tuple[Seconds, ...]

    @property
    def middle(self) -> Seconds:
        """The median round."""
        ordered = sorted(self.seconds)
        half = len(ordered) // 2
        return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2

    @property
    def noise(self) -> float:
        """Half of the range between the quarters of the rounds, over the median: what one repetition is off by."""
        ordered = sorted(self.seconds)
        return (ordered[-1 - len(ordered) // 4] - ordered[len(ordered) // 4]) / 2 / self.middle


@dataclass(frozen=True, slots=True)
class Survey:
    """All samples of ranks that worked at once, and what they ran on."""

    samples: tuple[TimedSample, ...]
    world: int
    chip: str
    """Name of the chip as its driver gives it; ``cpu`` for processes."""
    processors: float
    """Chips' worth of hardware under the ranks: cores for single-threaded processes, else as many as ranks."""
    threads: int
    memory: Bytes
    """Of one rank."""
    reserve: Bytes
    """What a rank holds before it has a model."""
    versions: Mapping[str, str]

    def of(self, probe: str) -> list[TimedSample]:
        """Return the samples of one kind."""
        return [sample for sample in self.samples if sample.probe == probe]


def read_survey(folder: Path, world: int) -> Survey:
    """Return what the ranks of a measurement wrote; the first rank speaks for all."""
    events = read_journal(folder / "rank-00000.jsonl")
    samples = tuple(TimedSample(e["probe"], e["facts"], tuple(e["seconds"])) for e in events if e["event"] == "sample")
    (done,) = (e for e in events if e["event"] == "done")
    facts = {key: value for key, value in done.items() if key not in ("event",)}
    return Survey(samples, world, **facts)
