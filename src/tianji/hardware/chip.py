"""A chip: what one rank drives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tianji.errors import UnknownFigureError
from tianji.hardware.figure import Figure
from tianji.units import Bytes, BytesPerSecond, FlopsPerSecond

DTYPES = ("fp32", "tf32", "bf16", "fp16", "fp8", "fp4", "int8")
NOT_TRAINED_IN = ("tf32", "int8")
"""Published peaks that no precision of a job stands for."""
NARROW = {"fp8", "fp4"}
"""Too narrow for all parts of a job."""


@dataclass(frozen=True, slots=True)
class Chip:
    """The datasheet of one chip, before any efficiency.

    ``peak`` is dense matrix throughput for each dtype (never the sparse figure), ``vector_peak`` that of the vector
    units. A missing key or a None is a figure that nobody published: asking for it raises UnknownFigureError.
    """

    name: str
    title: str
    vendor: str
    ecosystem: str
    """Software stack: ``cuda``, ``cann``, ``rocm``, ``xla``, ``neuron`` or ``other``."""
    status: str
    """``shipping``, ``announced`` or ``roadmap``."""
    peak: Mapping[str, Figure]
    vector_peak: Mapping[str, Figure]
    memory: Figure | None
    memory_bandwidth: Figure | None
    scale_up_bandwidth: Figure | None
    """Of one chip, one direction: what its links could carry. A pool's tiers say what its wiring gives, and they are what is
    estimated; no tier of the catalog gives a chip more than this."""
    scale_out_bandwidth: Figure | None
    """Of one chip, one direction, in the same way."""
    host_bandwidth: Figure | None = None
    """Between the chip and its host's memory, one direction; like the next two it is needed only to offload."""
    host_memory: Figure | None = None
    """Of the host, for each of its chips, as the usual system of the chip has it."""
    host_memory_bandwidth: Figure | None = None
    """The same of the rate of the host's memory, read and write together."""
    power: Figure | None = None
    price: Figure | None = None
    year: Figure | None = None
    scale_up_name: str = ""
    relative: str = ""
    """The chip whose calibration this one inherits when it has no measurements of its own."""
    notes: tuple[str, ...] = ()

    def matrix_peak(self, dtype: str) -> FlopsPerSecond:
        """Return the dense matrix peak for a dtype; bf16 and fp16 stand in for each other if only one is published."""
        twin = {"bf16": "fp16", "fp16": "bf16"}.get(dtype, dtype)
        peak = self.peak.get(dtype) or self.peak.get(twin)
        if peak is None:
            trained = [name for name in self.peak if name not in NOT_TRAINED_IN]
            other = f"whose jobs keep parts in {dtype}" if {*trained} <= NARROW else "--precision takes another"
            known = f"published: {', '.join(trained)}, {other}" if trained else "it has none at all"
            raise UnknownFigureError(self.name, f"dense {dtype} peak", known)
        return peak.value

    def computes_in(self, dtype: str) -> bool:
        """Return whether a dense matrix peak for a dtype is known."""
        twin = {"bf16": "fp16", "fp16": "bf16"}.get(dtype, dtype)
        return dtype in self.peak or twin in self.peak

    def memory_size(self) -> Bytes:
        """Return the capacity of the chip's memory."""
        return self._need(self.memory, "memory size")

    def memory_rate(self) -> BytesPerSecond:
        """Return the bandwidth of the chip's memory, read and write together."""
        return self._need(self.memory_bandwidth, "memory bandwidth")

    def _need(self, figure: Figure | None, what: str) -> float:
        if figure is None:
            raise UnknownFigureError(self.name, what)
        return figure.value
