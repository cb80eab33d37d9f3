"""How fast a moved job will be: the model that a repository trains, on the target pool and beside the present one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tianji.catalog import load_model
from tianji.catalog.migration import expand_source, read_rows
from tianji.comparison import Assessment, replace_pool
from tianji.errors import TianjiError
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.input_files import read_object
from tianji.migration.judging.findings import Impact
from tianji.migration.reading.files import MAX_BYTES, MAX_DEPTH, SKIPPED
from tianji.migration.scan import RepositoryScan
from tianji.result import Result
from tianji.search import plan
from tianji.workload import Job, Model

SCALE = 1024
"""Chips from which on start-up and timeouts are a matter of their own."""
MAX_CONFIGS = 50


@dataclass(frozen=True, slots=True)
class Switch:
    """A setting of the target's software."""

    switch: str
    why: str
    source: str


@dataclass(frozen=True, slots=True)
class Speed:
    """What a job takes on the target, and what the present pool takes where one is given."""

    model: Model
    found_in: str
    target: Result
    present: Result | None
    replacing_chips: tuple[float | None, float, float | None] | None
    """Chips of the target that give the present pool's useful tokens: low, nominal, high."""
    fallbacks: tuple[tuple[str, str], ...]
    """Names that fall back to the CPU, with their first places."""
    lost: tuple[str, ...]
    """Packages of fused kernels without an answer."""
    switches: tuple[Switch, ...]


def find_model(scan: RepositoryScan) -> tuple[Model, str] | None:
    """Return the model of the first ``config.json`` of a repository that describes one, with its path; tests come last."""
    path = find_config(Path(scan.root))
    return None if path is None else (load_model(Path(scan.root) / path), path)


def find_config(root: Path) -> str | None:
    """Return the path, inside a folder, of the first ``config.json`` that describes a model; tests come last."""
    paths = sorted(_config_files(root), key=lambda path: ("test" in path.lower(), path.count("/"), path))
    for path in paths[:MAX_CONFIGS]:
        try:
            data = read_object(root / path, "the config.json of a model", MAX_BYTES)
            if "architectures" not in data and "model_type" not in data:
                continue
            load_model(root / path)
            return path
        except (TianjiError, OSError, ValueError, RecursionError, TypeError):
            continue
    return None


def _config_files(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root, followlinks=False):
        inside = os.path.relpath(folder, root).replace(os.sep, "/")
        folders[:] = [] if inside.count("/") >= MAX_DEPTH else [name for name in folders if name not in SKIPPED]
        path = Path(folder) / "config.json"
        if "config.json" in files and not path.is_symlink() and path.stat().st_size <= MAX_BYTES:
            yield "config.json" if inside == "." else f"{inside}/config.json"


def estimate_speed(
    scan: RepositoryScan,
    job: Job,
    found_in: str,
    target: Pool,
    calibration: Calibration,
    present: tuple[Job, Pool] | None = None,
) -> Speed:
    """Return what a job takes on a target pool by its fastest plan, and beside the present pool.

    The prediction holds for code that uses the target's fused kernels; what falls back to the CPU is named, not priced.

    Raises InfeasibleError where no plan fits, and what the search raises.
    """
    best = plan(job, target, calibration, uneven="named").results[0]
    now, chips = None, None
    if present is not None:
        answer = replace_pool(present, (job, target), calibration, points=2)
        base = answer.first
        now, chips = base.result if isinstance(base, Assessment) else None, answer.chips
    fallbacks = [(u.name, f"{u.places[0][0]}:{u.places[0][1]}") for u in scan.apis if u.meaning is Impact.CPU_FALLBACK]
    lost = [
        v.name + (" (runs in part)" if v.status == "partial" else "")
        for v in scan.packages
        if v.status in ("none", "partial") and v.is_required and v.num_imports
    ]
    return Speed(
        job.model, found_in, best, now, chips, tuple(fallbacks), tuple(lost), find_switches(scan, target.chips)
    )


def find_switches(scan: RepositoryScan, chips: int) -> tuple[Switch, ...]:
    """Return the settings of the target's software that matter to a repository on so many chips."""
    imported = {v.name for v in scan.packages if v.num_imports}
    wanted = {"always", "porting"} | ({"scale"} if chips >= SCALE else set()) | (imported & {"ray", "vllm"})
    return tuple(
        Switch(row["switch"], row["why"], expand_source(row["source"]))
        for row in read_rows("switches")
        if row["when"] in wanted
    )
