"""A calibration: the few constants that datasheets do not give, each with its evidence.

``Constants()`` is pure datasheet physics: every rate at its peak, no latency, no overhead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from tianji.hardware.chip import Chip
from tianji.units import Bytes, Seconds


@dataclass(frozen=True, slots=True)
class Constants:
    """What one chip, with its links and its software, reaches of the datasheet.

    Efficiencies are fractions of a datasheet rate that a very large op reaches; sizes say where half of it is reached.
    """

    matmul_efficiency: float = 1.0
    """Of the dense bf16 peak."""
    narrow_efficiency: float = 1.0
    """Of the dense fp8 or fp4 peak, on the linear layers of a narrow recipe."""
    matmul_half_size: float = 0.0
    """A matmul dimension of this size runs at half speed: each dimension x costs a factor x / (x + half)."""
    attention_efficiency: float = 1.0
    """Of the dense bf16 peak, by the fused attention kernel, forward."""
    attention_half_length: float = 0.0
    """Context length at which attention reaches half of its efficiency."""
    memory_efficiency: float = 1.0
    scale_up_efficiency: float = 1.0
    scale_out_efficiency: float = 1.0
    scale_up_latency: Seconds = 0.0
    """Of one step of a collective, software included."""
    scale_out_latency: Seconds = 0.0
    overlap_efficiency: float = 1.0
    """Share of a communication that a longer computation beside it really hides."""
    op_overhead: Seconds = 0.0
    """Host time to launch one op; the chip waits when its work on a layer is shorter than the launches. Two ops backward."""
    step_overhead: Seconds = 0.0
    """What each step costs beside its micro-batches: data, gradient norm, logging."""
    straggle: float = 0.0
    """Relative spread of a chip's speed: n chips in step wait for the slowest, sqrt(2 ln n) spreads behind the mean."""
    software: float = 1.0
    """Time of this software generation over that of the reference one."""
    activation_overhead: float = 1.0
    """Activations that the allocator really holds over those that the formulas count."""
    framework_reserve: Bytes = 0.0
    """Memory of the runtime, its kernels and its workspaces."""
    communicator_size: Bytes = 0.0
    """Buffers of one communicator."""


CONSTANT_NAMES = tuple(f.name for f in fields(Constants))
TIERS = ("physics", "measured", "fitted")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where one constant comes from.

    ``tier`` is ``physics`` (a law or a datasheet), ``measured`` (a published micro-benchmark) or ``fitted`` (to whole runs).
    """

    tier: str
    rows: int = 0
    source: str = ""
    standard_error: float = 0.0
    inherited_from: str = ""


@dataclass(frozen=True, slots=True)
class Spread:
    """Relative 80 % range of step times: measured / predicted lies from ``low`` to ``high``."""

    low: float = 1.0
    high: float = 1.0
    basis: str = ""
    """``measured``, ``inherited`` or ``roadmap``."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Constants for each chip, with evidence, validity and date."""

    name: str = "none"
    date: str = ""
    chips: Mapping[str, Constants] = field(default_factory=dict)
    evidence: Mapping[str, Mapping[str, Evidence]] = field(default_factory=dict)
    spreads: Mapping[str, Spread] = field(default_factory=dict)
    note: str = ""

    def constants(self, chip: Chip) -> Constants:
        """Return the constants of a chip; one without any has those of its relative, else pure physics."""
        return self.chips.get(chip.name) or self.chips.get(chip.relative) or Constants()

    def spread(self, chip: Chip) -> Spread:
        """Return the 80 % range of step times for a chip, over the nominal one."""
        return self.spreads.get(chip.name) or self.spreads.get(chip.relative) or Spread()
