"""Own runs added to a calibration: what one's machines and software take beside what the calibration says of their like.

The logarithm of measured over predicted is c for all runs on one chip (the cluster: its links, clocks and host) and e more for
each framework on it. Both are believed to be near 0 (:data:`CLUSTER`, :data:`PAIR`). Rows of one job count less the more of them
there are, and rows that missed by far bend little, as in the fit of all constants (:mod:`tianji.calibration.fit`). The minimum of
the squares is solved by reweighting. Nothing else moves: other chips, memory and what tells layouts apart stay.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tianji.calibration.fit import FAR, NOISE, ROWS_OF_ONE_JOB, find_job
from tianji.calibration.measured import choose_rows, sample_row
from tianji.catalog.software import list_software
from tianji.errors import FormatError
from tianji.hardware.calibration import Calibration, Effect
from tianji.measurements.rows import Row
from tianji.units import Array

CLUSTER, PAIR = 0.25, 0.08
"""How far one's own cluster, and a framework on it beside the others, may differ: standard deviations of log time.
The latter is that of known software on a chip that it was not seen on (:data:`tianji.calibration.measured.STRANGE_PAIR`)."""
ROUNDS = 50
"""Reweighting ends long before."""


@dataclass(frozen=True, slots=True)
class OwnPair:
    """What own runs of one framework on one chip say."""

    chip: str
    software: str
    rows: int
    before: float
    """Median of measured over predicted with the calibration that they were added to."""
    after: float
    """The same with the new one."""
    scatter: float
    """Median distance of measured over predicted from 1 with the new one."""


@dataclass(frozen=True, slots=True)
class Added:
    """A calibration with own rows in it, and what they moved."""

    calibration: Calibration
    base: Calibration
    rows: tuple[Row, ...]
    """Those that count."""
    factors: Mapping[str, float]
    """By chip, how much longer its runs are predicted under software that own rows do not have."""


PredictTimes = Callable[[Sequence[Row], Calibration], Sequence[float | None]]
"""Gives the predicted step time of each row; None where there is none."""


def add_rows(rows: Sequence[Row], base: Calibration, predict: PredictTimes, name: str = "", date: str = "") -> Added:
    """Return a calibration with own runs added to it.

    Raises FormatError when no row counts or can be predicted.
    """
    chosen = choose_rows(rows)
    times = predict(chosen, base)
    known = [(row, time) for row, time in zip(chosen, times, strict=True) if time]
    if not known:
        raise FormatError("no row of this table may set constants; expected rows of split fit and of quality A or B")
    members: dict[str, list[tuple[Row, float]]] = defaultdict(list)
    for row, time in known:
        members[row.pool.chip.name].append((row, time))
    software, factors = dict(base.software), {}
    for chip, its_rows in members.items():
        effects, factors[chip] = _solve(chip, its_rows, base)
        software |= effects
    note = f"{len(known):,} own rows were added to the calibration {base.name} of {base.date}. {base.note}".strip()
    added = replace(base, name=name or base.name, date=date or base.date, software=software, note=note)
    return Added(added, base, tuple(row for row, _ in known), factors)


def compare_pairs(added: Added, predict: PredictTimes) -> list[OwnPair]:
    """Return for each framework and chip of the own rows how measured over predicted moved."""
    ratios = [
        [
            row.measured_step_time / (time or np.nan)
            for row, time in zip(added.rows, predict(added.rows, c), strict=True)
        ]
        for c in (added.base, added.calibration)
    ]
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, row in enumerate(added.rows):
        places[(row.pool.chip.name, row.software.framework)].append(i)
    before, after = map(np.asarray, ratios)
    return [
        OwnPair(
            chip, framework, len(its), float(np.median(before[its])), float(np.median(after[its])),
            float(np.median(np.abs(after[its] - 1.0))),
        )
        for (chip, framework), its in sorted(places.items())
    ]  # fmt: skip


def _solve(
    chip: str, rows: Sequence[tuple[Row, float]], base: Calibration
) -> tuple[dict[str, dict[str, Effect]], float]:
    """Return the effects of every framework on a chip, and the factor of those that own rows do not have."""
    names = sorted({row.software.framework for row, _ in rows})
    missed = np.log([row.measured_step_time / time for row, time in rows])
    design = np.zeros((len(rows), 1 + len(names)))
    design[:, 0] = 1.0
    for i, (row, _) in enumerate(rows):
        design[i, 1 + names.index(row.software.framework)] = 1.0
    jobs = [find_job(sample_row(row)) for row, _ in rows]
    counts = Counter(jobs)
    share = np.asarray([counts[job] / ROWS_OF_ONE_JOB for job in jobs])
    weights = np.maximum(share, 1.0) ** -0.5 / NOISE**2
    belief = np.diag([CLUSTER**-2.0, *[PAIR**-2.0] * len(names)])
    unknowns, covariance = _reweight(design, missed, weights, belief)
    count = Counter(row.software.framework for row, _ in rows)
    effects = {}
    known = [software for software in list_software() if software in base.software]
    for framework in sorted({*known, *names}):
        trait = f"{framework}@{chip}"
        old = base.software.get(trait, {})
        factor = old["software"].factor if "software" in old else 1.0
        here = np.zeros(len(unknowns))
        here[0] = 1.0
        if framework in names:
            here[1 + names.index(framework)] = 1.0
        variance = float(here @ covariance @ here) + (0.0 if framework in names else PAIR**2)
        moved = Effect(round(factor * float(np.exp(here @ unknowns)), 4), count[framework], round(variance**0.5, 4))
        effects[trait] = {**old, "software": moved}
    return effects, float(np.exp(unknowns[0]))


def _reweight(design: Array, missed: Array, weights: Array, belief: Array) -> tuple[Array, Array]:
    """Return the unknowns of the least robust squares and their covariance."""
    unknowns: Array = np.zeros(design.shape[1])
    for _ in range(ROUNDS):
        robust = weights / (1.0 + ((missed - design @ unknowns) ** 2 * weights) / FAR**2)
        nearer, covariance = _step(design, missed, belief, robust)
        done = bool(np.allclose(nearer, unknowns, atol=1e-9))
        unknowns = nearer
        if done:
            break
    return unknowns, covariance


def _step(design: Array, missed: Array, belief: Array, weights: Array) -> tuple[Array, Array]:
    weighted = design * weights[:, None]
    covariance: Array = np.linalg.inv(design.T @ weighted + belief)
    unknowns: Array = covariance @ (weighted.T @ missed)
    return unknowns, covariance
