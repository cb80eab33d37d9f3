"""``calibrate`` with ``here``: this machine measured, as a pool and a calibration."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tianji.api.answer import Answer
from tianji.api.progress import show_progress
from tianji.backends.microbenchmarks.measure_machine import Size, describe_calibration, measure_here
from tianji.backends.microbenchmarks.pool_text import format_pool
from tianji.catalog.calibrations import format_calibration
from tianji.errors import FormatError
from tianji.parallel.plan_file import find_target, write_text
from tianji.report.documents.machine import machine_document


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
    write_text(beside, format_calibration(calibration))
    write_text(out, format_pool(name, date, sizes))
    summary = f"this machine, measured with up to {sizes[-1].chips} chips: {out} and {beside}"
    return Answer(tuple(sizes), summary, partial(machine_document, sizes, out, beside), calibration)
