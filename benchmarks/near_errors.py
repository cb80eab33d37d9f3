"""Whether ranges should move with the errors of the nearest runs: each source of the fit rows left out, with and without.

Usage: python benchmarks/near_errors.py   (one fit; about two minutes)

A source is left out in closed form (:func:`tianji.calibration.ranges.leave_out`); its runs' neighbours are those of other
sources, with the residuals that they have in the fit without it. Ranges are learned anew from the other sources, with and without
the move. Rows weigh alike, by the root of their source's number, and by source. Coverage is of 80 % ranges; the interval score is
their width plus ten times what a value lies outside (Gneiting & Raftery 2007), less is better.
"""

from __future__ import annotations

from itertools import islice

import numpy as np

from tianji.calibration.fit import FitSample, fit_chips
from tianji.calibration.measured import choose_rows, sample_row
from tianji.calibration.ranges import BORROWED, FARTHEST
from tianji.hardware.uncertainty import DOUBTED, RANGE_80
from tianji.measurements.rows import Row
from tianji.units import Array
from tianji.validation import read_runs
from tianji.validation.near_errors import BELIEVED, MOST, NEAR
from tianji.validation.nearest import rank_stated

MISSED = 10.0
"""2 over the share of values that may lie outside (0.2)."""


def leave_sources_out(rows: list[Row], samples: list[FitSample]) -> tuple[Array, Array, Array]:
    """Return of each row its error and its doubt without its source, and the mean error of its neighbours (nan: none)."""
    fit, places = fit_chips(samples), {row.id: i for i, row in enumerate(rows)}
    system, sources = fit.system, np.asarray([row.source for row in rows])
    weighted = system.slopes * system.weights[:, None]
    errors, doubts, means = (np.full(len(rows), np.nan) for _ in range(3))
    for source in np.unique(sources):
        mine = np.flatnonzero(sources == source)
        slopes = system.slopes[mine]
        sides = np.column_stack([weighted[mine].T @ fit.residuals[mine], slopes.T])
        moved = np.linalg.solve(system.hessian - slopes.T @ weighted[mine], sides)
        every = fit.residuals + np.clip(system.slopes @ moved[:, 0], -FARTHEST, FARTHEST)
        errors[mine] = every[mine]
        doubts[mine] = np.sqrt(np.maximum(np.einsum("ij,ji->i", slopes, moved[:, 1:]), 0.0))
        for i in mine:
            stated = [
                (d, c.text("id")) for d, _, c in rank_stated(rows[i].plan, NEAR, BELIEVED) if c.text("source") != source
            ]
            near = list(islice(((d, name) for d, name in stated if name in places), MOST))
            if near:
                weights = np.exp([-distance for distance, _ in near])
                means[i] = weights @ [every[places[name]] for _, name in near] / weights.sum()
    return errors, doubts, means


def ends_of(values: Array, weights: Array) -> tuple[float, float]:
    """Return the weighted quantiles that 80 % of the values lie between."""
    order = np.argsort(values, kind="stable")
    place = (np.cumsum(weights[order]) - weights[order] / 2.0) / weights.sum()
    low, high = np.interp([0.1, 0.9], place, values[order])
    return min(float(low), 0.0), max(float(high), 0.0)


def judge(errors: Array, doubts: Array, rows: list[Row], weights: Array) -> tuple[Array, Array]:
    """Return of each row whether its error lies in the range that other sources teach, and its interval score."""
    beyond = np.sign(errors) * np.sqrt(np.maximum(errors**2 - (RANGE_80 * DOUBTED * doubts) ** 2, 0.0))
    sources, chips = (np.asarray(v) for v in zip(*((r.source, r.pool.chip.name) for r in rows), strict=True))
    kinds = np.asarray([r.plan.job.model.moe is not None for r in rows])
    inside, scores = np.zeros(len(rows)), np.zeros(len(rows))
    for source, kind, chip in {*zip(sources, kinds, chips, strict=True)}:
        mine = (sources == source) & (kinds == kind) & (chips == chip)
        others = (sources != source) & (kinds == kind)
        low, high = ends_of(beyond[others], weights[others])
        own = others & (chips == chip)
        if jobs := len({(r.arch_key, r.software.framework) for r, is_own in zip(rows, own, strict=True) if is_own}):
            share, (a, b) = jobs / (jobs + BORROWED), ends_of(beyond[own], weights[own])
            low, high = share * a + (1.0 - share) * low, share * b + (1.0 - share) * high
        more, value = RANGE_80 * DOUBTED * doubts[mine], errors[mine]
        below, above = -np.hypot(low, more), np.hypot(high, more)
        inside[mine] = (value >= below) & (value <= above)
        scores[mine] = above - below + MISSED * (np.maximum(below - value, 0.0) + np.maximum(value - above, 0.0))
    return inside, scores


def main() -> None:
    rows = choose_rows(read_runs()[0])
    errors, doubts, means = leave_sources_out(rows, [sample_row(row) for row in rows])
    near, sources = np.isfinite(means), np.asarray([row.source for row in rows])
    print(
        f"{near.sum()} of {len(rows)} rows have neighbours, of {len(set(sources[near]))} of {len(set(sources))} sources"
    )
    counts = np.asarray([(sources == source).sum() for source in sources])
    root = 1.0 / np.sqrt(counts)
    moves = {
        "as it is": np.zeros(len(rows)),
        "moved": np.where(near, means, 0.0),
        "half moved": np.where(near, means, 0.0) / 2.0,
    }
    print(
        "range       weights  coverage of all, of those near   interval score of all, of those near   error (rms) near"
    )
    for name, move in moves.items():
        inside, scores = judge(errors - move, doubts, rows, root)
        for words, weights in (("rows", np.ones(len(rows))), ("root", root), ("sources", 1.0 / counts)):
            every = [np.average(v, weights=weights) for v in (inside, scores)]
            those = [np.average(v[near], weights=weights[near]) for v in (inside, scores, (errors - move) ** 2)]
            print(
                f"{name:11} {words:8} {every[0]:.3f} {those[0]:.3f}   {every[1]:.3f} {those[1]:.3f}   {those[2] ** 0.5:.3f}"
            )


if __name__ == "__main__":
    main()
