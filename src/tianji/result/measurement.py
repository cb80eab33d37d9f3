"""What a run measured, beside what a prediction gives too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tianji.errors import FormatError
from tianji.units import Bytes, Seconds


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one rank sent over one axis in one step: calls of collectives or sends, and the bytes of one chip."""

    calls: int = 0
    bytes: Bytes = 0.0


SHORTEST_STEP: Seconds = 1e-9
"""No step is shorter, and what divides by one stays a number."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Facts of one run. Step times leave the warm-up out; losses and gradient norms are of every step."""

    engine: str
    chip: str
    """What the ranks ran on, as its driver names it; ``cpu`` where processes stand in for chips."""
    warmup: int
    step_times: tuple[Seconds, ...]
    """Of each measured step, the slowest rank's."""
    losses: tuple[float, ...]
    gradient_norms: tuple[float, ...]
    memory_peaks: tuple[Bytes, ...]
    """Of each rank: the allocator's on an accelerator, the whole process's on a CPU."""
    profiled_time: Seconds = 0.0
    """The step of which the breakdown is; 0: none was profiled. A profiler slows a step down."""
    traffic: Mapping[str, Traffic] = field(default_factory=dict)
    """By axis, of the rank that sent most."""
    versions: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    """Where the journals and the trace of the run are."""

    def __repr__(self) -> str:
        return f"Measurement({len(self.step_times):,} steps on {self.chip}, engine {self.engine})"

    def __post_init__(self) -> None:
        if not self.step_times or min(self.step_times) <= 0:
            raise FormatError("step_times: expected one time at least, and each above 0")
        if 0 < self.profiled_time < SHORTEST_STEP:
            raise FormatError(f"profiled_time: expected 0 or at least {SHORTEST_STEP:g} s, got {self.profiled_time:g}")

    @property
    def noise(self) -> float:
        """Relative spread of the step times: half of the range from the 10th to the 90th percentile over the median."""
        times = sorted(self.step_times)
        low, high = times[len(times) // 10], times[-1 - len(times) // 10]
        return (high - low) / (2.0 * times[len(times) // 2])
