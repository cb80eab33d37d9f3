"""The fastest variant of a few dealings of the chips: all of them are priced at once.

An estimate of a small grid is all calls, and the space of one dealing is small. So the legal strategies of all of them stand in
one row, and what does not fit leaves it before it is priced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from tianji.hardware import Pool
from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid
from tianji.parallel.legality import is_legal
from tianji.perf.memory import usable_memory
from tianji.search.blocks import Weighed, estimated_blocks
from tianji.search.candidate import Candidate, Spot, name_all
from tianji.search.improvable import MOST
from tianji.search.refinement import refine_best
from tianji.search.space import Space
from tianji.workload import Job

DEGREES = ("tp", "pp", "cp", "dp")
"""The degrees whose product is the number of chips."""


@dataclass(frozen=True, slots=True)
class _Fastest:
    """Of one dealing the fastest strategy, and pipelines that equal stages would make faster, with their bounds."""

    pool: Pool
    best: Spot
    improvable: tuple[Spot, ...]


def find_fastest(
    job: Job, pool: Pool, constants: Constants, dealings: Sequence[Mapping[str, Any]], *, names_stages: bool = False
) -> Candidate | None:
    """Return the fastest of the strategies that have the fields of some dealings and fit the memory; None where none does.

    Each of ``dealings`` holds fields to values, all degrees among them. Of equally fast strategies those of the first dealing
    count, of these the smallest. With ``names_stages`` pipelines that their best stages would make the fastest get them.
    """
    by_chips: dict[int, list[int]] = {}
    for place, dealing in enumerate(dealings):
        by_chips.setdefault(prod(int(dealing[name]) for name in DEGREES), []).append(place)
    fastest: dict[int, _Fastest] = {}
    for chips, members in by_chips.items():
        used = replace(pool, chips=chips)
        fastest |= _find_alike(job, used, constants, {n: dealings[n] for n in members}, weighs_stages=names_stages)
    in_order = [fastest[place] for place in sorted(fastest)]
    if not in_order:
        return None
    (best,) = name_all([min((one.best for one in in_order), key=lambda spot: spot.step_time)])
    if names_stages:
        bar = best.step_time
        for used in {one.pool.chips: one.pool for one in in_order}.values():
            same = [one.improvable for one in in_order if one.pool.chips == used.chips]
            noted = [name_all([spot for spot in spots if spot.step_time < bar]) for spots in same]
            best = refine_best(job, used, constants, noted, best.step_time) or best
    return best


def _find_alike(
    job: Job, pool: Pool, constants: Constants, dealings: Mapping[int, Mapping[str, Any]], *, weighs_stages: bool
) -> dict[int, _Fastest]:
    """Return what is fastest of each dealing of all chips of a pool, where something fits."""
    rows = [(place, row) for place, dealing in dealings.items() for row in _legal_rows(job, pool, dealing)]
    if not rows:
        return {}
    owners = np.repeat([place for place, _ in rows], [row.shape[0] for _, row in rows])
    weighed = Weighed.of(job, pool, constants, Grid.join([row for _, row in rows]), np.ones(len(owners), dtype=bool))
    fits = weighed.fits(usable_memory(pool))
    if not fits.any():
        return {}
    fitting, owners = weighed.keep(fits), owners[fits]
    blocks = list(estimated_blocks(job, pool, constants, fitting, weighs_stages=weighs_stages))
    seconds, memory = (np.concatenate([getattr(b, name) for b in blocks]) for name in ("step_time", "memory"))
    uneven = np.concatenate([np.zeros(len(b.legal)) if b.uneven is None else b.uneven for b in blocks])
    fastest: dict[int, _Fastest] = {}
    for place in dealings:
        members = np.flatnonzero(owners == place)
        if len(members):
            first = members[np.lexsort((memory[members], seconds[members]))[0]]
            bounds = seconds[members] - uneven[members]
            places = members[(uneven[members] > 0.0) & (bounds < seconds[first])]
            places = places[np.argsort(seconds[places] - uneven[places], kind="stable")][:MOST]
            columns = zip(places.tolist(), (seconds - uneven)[places].tolist(), memory[places].tolist(), strict=True)
            best = Spot(fitting.grid, int(first), float(seconds[first]), float(memory[first]))
            fastest[place] = _Fastest(pool, best, tuple(Spot(fitting.grid, *column) for column in columns))
    return fastest


def _legal_rows(job: Job, pool: Pool, dealing: Mapping[str, Any]) -> list[Grid]:
    """Return the legal strategies of one dealing, in grids of one axis."""
    grids = list(Space(job, pool, dealing, {}).slices())
    legal = [np.broadcast_to(is_legal(grid, job, pool), grid.shape) for grid in grids]
    return [grid.keep(kept) for grid, kept in zip(grids, legal, strict=True) if kept.any()]
