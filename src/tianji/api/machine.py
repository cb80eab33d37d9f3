"""``calibrate`` with ``here``: this machine measured, as a pool and a calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tianji.api.answer import Answer
from tianji.api.presenting import Presentation
from tianji.api.progress import show_progress
from tianji.backends.microbenchmarks.measure_machine import Size, describe_calibration, measure_here
from tianji.backends.microbenchmarks.pool_text import format_pool
from tianji.catalog.calibrations import spell_calibration
from tianji.errors import FormatError
from tianji.parallel.plan_file import find_target, write_text


def measure_machine(
    out: str, name: str, date: str, processes: int | None, rounds: int, seconds: float, device: str
) -> Answer[tuple[Size, ...]]:
    """Measure this machine and write both files; where one cannot be written, neither is."""
    beside = str(Path(out).with_name(f"{Path(out).stem}-calibration.toml"))
    if not out.endswith(".toml"):
        raise FormatError(f"--out: expected the name of a pool's file, which ends in .toml, got {out!r}")
    for path in (out, beside):
        find_target(path)
    if rounds < 1 or not 0.0 < seconds <= 10.0:
        raise FormatError(f"expected --rounds from 1 and --seconds up to 10, got {rounds} and {seconds:g}")
    with show_progress("Things measured") as progress:
        sizes = measure_here(processes, rounds=rounds, seconds=seconds, device=device, tell=progress)
    calibration = describe_calibration(f"{name}-calibration", date, sizes, chips=name)
    write_text(beside, spell_calibration(calibration))
    write_text(out, format_pool(name, date, sizes))
    return Answer(tuple(sizes), MachinePresentation(tuple(sizes), out, beside), calibration)


@dataclass(frozen=True)
class MachinePresentation(Presentation):
    """What is shown of a machine that was measured."""

    sizes: Sequence[Size]
    pool: str
    calibration: str

    def summary(self) -> str:
        """Return where the pool and its calibration are."""
        return f"this machine, measured with up to {self.sizes[-1].chips} chips: {self.pool} and {self.calibration}"

    def make_document(self) -> Mapping[str, Any]:
        """Return the figures of every number of chips."""
        from tianji.report.documents.machine import machine_document

        return machine_document(self.sizes, self.pool, self.calibration)
