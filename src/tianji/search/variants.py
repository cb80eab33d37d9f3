"""The fastest variant of a few dealings of the chips: all of them are priced at once.

An estimate of a small grid is all calls, and the space of one dealing is small. So the legal strategies of all of them stand in
one row, and what does not fit leaves it before it is priced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from tianji.hardware import Pool
from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid
from tianji.parallel.legality import is_legal
from tianji.perf.memory import usable_memory
from tianji.search.blocks import Weighed, priced_blocks
from tianji.search.candidate import Candidate, Spot, name_all
from tianji.search.space import Space
from tianji.workload import Job

DEGREES = ("tp", "pp", "cp", "dp")
"""The degrees whose product is the number of chips."""


def find_fastest(job: Job, pool: Pool, constants: Constants, dealings: Sequence[Mapping[str, Any]]) -> Candidate | None:
    """Return the fastest of the strategies that have the fields of some dealings and fit the memory; None where none does.

    Each of ``dealings`` holds fields to values, all degrees among them. Of equally fast strategies those of the first dealing
    count, of these the smallest.
    """
    by_chips: dict[int, list[int]] = {}
    for place, dealing in enumerate(dealings):
        by_chips.setdefault(prod(int(dealing[name]) for name in DEGREES), []).append(place)
    fastest: dict[int, Spot] = {}
    for chips, members in by_chips.items():
        used = replace(pool, chips=chips)
        fastest |= _find_alike(job, used, constants, {place: dealings[place] for place in members})
    first = min(fastest, key=lambda place: (fastest[place].step_time, place), default=None)
    return None if first is None else name_all([fastest[first]])[0]


def _find_alike(
    job: Job, pool: Pool, constants: Constants, dealings: Mapping[int, Mapping[str, Any]]
) -> dict[int, Spot]:
    """Return for each dealing of all chips of a pool its fastest strategy, where one fits."""
    rows = [(place, row) for place, dealing in dealings.items() for row in _legal_rows(job, pool, dealing)]
    if not rows:
        return {}
    owners = np.repeat([place for place, _ in rows], [row.shape[0] for _, row in rows])
    weighed = Weighed.of(job, pool, constants, Grid.join([row for _, row in rows]), np.ones(len(owners), dtype=bool))
    fits = weighed.fits(usable_memory(pool))
    if not fits.any():
        return {}
    fitting, owners = weighed.keep(fits), owners[fits]
    blocks = list(priced_blocks(job, pool, constants, fitting))
    seconds, memory = (np.concatenate([getattr(b, name) for b in blocks]) for name in ("step_time", "memory"))
    fastest: dict[int, Spot] = {}
    for i in np.lexsort((memory, seconds)).tolist():
        fastest.setdefault(int(owners[i]), Spot(fitting.grid, i, float(seconds[i]), float(memory[i])))
        if len(fastest) == len(dealings):
            break
    return fastest


def _legal_rows(job: Job, pool: Pool, dealing: Mapping[str, Any]) -> list[Grid]:
    """Return the legal strategies of one dealing, in grids of one axis."""
    grids = list(Space(job, pool, dealing, {}).slices())
    legal = [np.broadcast_to(is_legal(grid, job, pool), grid.shape) for grid in grids]
    return [grid.keep(kept) for grid, kept in zip(grids, legal, strict=True) if kept.any()]
