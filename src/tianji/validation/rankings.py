"""Published rankings of the layouts of one job, a layout that ran out of memory among them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from tianji.catalog import load_calibration
from tianji.catalog.architectures import load_architecture
from tianji.catalog.entries import DATA
from tianji.catalog.reader import read_toml
from tianji.hardware.calibration import Calibration
from tianji.measurements.layouts import read_recompute
from tianji.measurements.machines import find_machine
from tianji.parallel.grid import Grid
from tianji.parallel.layouts import complete_layout, read_layout
from tianji.perf.memory import usable_memory
from tianji.perf.step import estimate
from tianji.units import GIB, Bytes
from tianji.validation.sweeps import correlate_ranks
from tianji.workload import Job
from tianji.workload.precision import PRECISIONS

PUBLISHED = DATA / "measurements" / "rankings.toml"
TRAITS = ("flagscale",)
"""The software of these tables, which no calibration row comes from."""


@dataclass(frozen=True, slots=True)
class Place:
    """One layout: tokens a second of a chip and bytes, measured and predicted. Without a rate it ran out of memory."""

    layout: str
    measured: float | None
    predicted: float
    measured_memory: Bytes | None
    predicted_memory: Bytes
    fits: bool


@dataclass(frozen=True, slots=True)
class RankedJob:
    """The layouts of one job, as published and as predicted."""

    name: str
    title: str
    url: str
    note: str
    places: tuple[Place, ...]

    @property
    def spearman(self) -> float:
        """Rank correlation over the layouts that ran."""
        ran = [p for p in self.places if p.measured]
        return correlate_ranks(np.asarray([p.measured for p in ran]), np.asarray([p.predicted for p in ran]))

    @property
    def regret(self) -> float:
        """Best measured rate over that of the layout that we would pick, less 1."""
        ran = [p for p in self.places if p.measured]
        pick = max([p for p in ran if p.fits] or ran, key=lambda p: p.predicted)
        return max(p.measured or 0.0 for p in ran) / (pick.measured or 1.0) - 1.0

    @property
    def memory_is_told(self) -> bool:
        """What ran fits and what ran out of memory does not."""
        return all(p.fits == (p.measured is not None) for p in self.places)


def rank_published(calibration: Calibration | None = None) -> list[RankedJob]:
    """Return the published rankings with what is predicted for each layout."""
    calibration = load_calibration() if calibration is None else calibration
    jobs = read_toml(PUBLISHED)["job"]
    assert isinstance(jobs, list)
    return [_rank(job, calibration) for job in jobs]


def _rank(entry: dict[str, object], calibration: Calibration) -> RankedJob:
    model = load_architecture(str(entry["arch_key"]))
    assert model is not None
    seq_len, chips = _whole(entry["seq_len"]), _whole(entry["chips"])
    pool = find_machine(str(entry["chip"])).with_chips(chips)
    layouts = entry["layouts"]
    assert isinstance(layouts, list)
    places = []
    for item in layouts:
        told = {**entry, **item}
        job = Job(model, seq_len, _whole(told["global_batch_size"]), PRECISIONS["bf16"])
        strategy = complete_layout(read_layout(str(item["layout"])), chips)
        layers = model.num_layers / strategy.pp
        again = read_recompute(str(entry["recompute"]), model, seq_len, layers, layers, True)
        strategy = replace(
            strategy, micro_batch_size=_whole(told["micro_batch_size"]), zero=1, overlap_tp=False,
            sequence_parallel=bool(entry["sequence_parallel"]), overlap_dp=bool(entry["overlap_dp"]),
            recompute=again.kind, recompute_layers=again.share,
        )  # fmt: skip
        cost = estimate(job, pool, calibration.constants(pool.chip, TRAITS), Grid.of(strategy))
        rate = job.tokens_per_step / float(np.ravel(cost.step_time)[0]) / chips
        memory = float(np.ravel(cost.memory_total)[0])
        places.append(_place(item, rate, memory, usable_memory(pool)))
    name, title, url, note = (str(entry[key]) for key in ("name", "title", "url", "note"))
    return RankedJob(name, title, url, note, tuple(places))


def _place(item: dict[str, object], rate: float, memory: Bytes, limit: Bytes) -> Place:
    measured, stated = item.get("tokens_per_s"), item.get("memory")
    return Place(
        str(item["layout"]),
        float(str(measured)) if measured else None,
        rate,
        float(str(stated)) * GIB if stated else None,
        memory,
        memory <= limit,
    )


def _whole(value: object) -> int:
    return int(str(value))


def tell_memory(jobs: Iterable[RankedJob]) -> list[float]:
    """Return the memory errors of all layouts that state theirs: predicted over measured, less 1."""
    return [p.predicted_memory / p.measured_memory - 1.0 for j in jobs for p in j.places if p.measured_memory]
