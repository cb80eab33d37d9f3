"""A grid: many strategies at once, as arrays that broadcast together.

The cost model's formulas take a grid. A search lays each degree along an axis of its own, so that a term which depends on
two degrees is computed once for each pair of them; a single prediction is a grid of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tianji.parallel.schedules import SCHEDULES, PipelineSchedule
from tianji.parallel.strategy import CHOICES, FIELDS, MODULES, Strategy, read_modules
from tianji.units import Array


@dataclass(frozen=True, slots=True)
class Grid:
    """The fields of a Strategy as arrays; words are their positions in CHOICES, switches are booleans, ``stages`` are texts."""

    tp: Array
    pp: Array
    vpp: Array
    cp: Array
    ep: Array
    etp: Array
    dp: Array
    micro_batch_size: Array
    zero: Array
    zero_group: Array
    zero_kind: Array
    sequence_parallel: Array
    recompute: Array
    recompute_layers: Array
    recompute_modules: Array
    schedule: Array
    stages: Array
    cp_kind: Array
    ep_kind: Array
    weight_gather: Array
    overlap_dp: Array
    overlap_tp: Array
    overlap_pp: Array
    overlap_ep: Array
    flash_attention: Array
    offload_optimizer: Array
    offload_activations: Array
    offload_weights: Array
    offload_overlap: Array
    offload_update: Array
    placement: Array

    @classmethod
    def of(cls, *strategies: Strategy) -> Grid:
        """Return the grid of the given strategies along one axis."""
        columns = {name: encode(name, [getattr(s, name) for s in strategies]) for name in FIELDS}
        return cls(**{name: _array(values) for name, values in columns.items()})

    @classmethod
    def product(cls, axes: tuple[Mapping[str, Array], ...], defaults: Strategy) -> Grid:
        """Return the outer product of axes; each maps the fields that vary along it to arrays of one length.

        A field that no axis names has its default everywhere; an axis without fields is none.
        """
        axes = tuple(axis for axis in axes if axis)
        n = len(axes)
        columns: dict[str, Array] = {}
        for position, axis in enumerate(axes):
            shape = [1] * n
            for name, values in axis.items():
                shape[position] = len(values)
                columns[name] = np.asarray(values).reshape(shape)
        for name in FIELDS:
            if name not in columns:
                columns[name] = _array(encode(name, [getattr(defaults, name)])).reshape([1] * n)
        return cls(**columns)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that all fields broadcast to."""
        return np.broadcast_shapes(*{getattr(self, name).shape for name in FIELDS})

    def keep(self, kept: Array) -> Grid:
        """Return the grid whose last axes, as many as ``kept`` has, are one axis of the places that are kept, in their order."""
        index = np.nonzero(kept)
        return Grid(**{name: keep_places(getattr(self, name), index) for name in FIELDS})

    @classmethod
    def join(cls, rows: Sequence[Grid]) -> Grid:
        """Return ``rows``, grids of one axis, as one, in their order."""
        lengths = [row.shape for row in rows]

        def column(name: str) -> Array:
            return np.concatenate([np.broadcast_to(getattr(r, name), n) for r, n in zip(rows, lengths, strict=True)])

        return cls(**{name: column(name) for name in FIELDS})

    @property
    def chips(self) -> Array:
        """Chips that each strategy uses."""
        return self.tp * self.pp * self.cp * self.dp

    def at(self, index: tuple[int, ...]) -> Strategy:
        """Return the strategy at ``index``, a place along each axis of the grid."""
        (strategy,) = self.strategies(np.ravel_multi_index([[i] for i in index], self.shape))
        return strategy

    def strategies(self, places: Array) -> list[Strategy]:
        """Return the strategies at some places, all axes laid end to end."""
        index = np.unravel_index(places, self.shape)
        columns: list[list[Any]] = []
        for name in FIELDS:
            array = getattr(self, name)
            at = tuple(i if n > 1 else 0 for i, n in zip(index, array.shape, strict=True))
            values = [array.item()] * len(places) if array.size == 1 else array[at].tolist()
            columns.append(_words(name, values))
        return [Strategy(*values) for values in zip(*columns, strict=True)]

    def by_schedule(self, value: Callable[[PipelineSchedule], Array | float]) -> Array:
        """Return for each strategy what ``value`` gives for its schedule."""
        codes = set(np.ravel(self.schedule).tolist())
        present = [schedule for code, schedule in enumerate(SCHEDULES.values()) if code in codes]
        values: Array = np.asarray(value(present[0]))
        for schedule in present[1:]:
            values = np.where(self.among("schedule", schedule.name), value(schedule), values)
        return values

    def among(self, name: str, word: str) -> Array:
        """Return where the textual switch ``name`` has the given ``word``."""
        is_word: Array = np.equal(getattr(self, name), CHOICES[name].index(word))
        return is_word

    def recomputes(self, module: str) -> Array:
        """Return where a module is named among those to recompute."""
        is_named: Array = np.bitwise_and(self.recompute_modules, 1 << MODULES.index(module)) > 0
        return is_named


def keep_places(values: Array, index: tuple[Array, ...]) -> Array:
    """Return ``values`` whose last axes, one for each of ``index``, are one axis of the places there.

    An axis of length 1 stays so.
    """
    lead, tail = values.shape[: -len(index)], values.shape[-len(index) :]
    if all(n == 1 for n in tail):
        return values.reshape((*lead, 1))
    places: Array = values[(..., *(i if n > 1 else 0 for i, n in zip(index, tail, strict=True)))]
    return places


def number_alike(rows: Array) -> tuple[Array, Array]:
    """Return where each unlike row stands first, the rows ascending, and of each place the number of its row.

    What ``np.unique`` gives as index and inverse, without the masked arrays that it loads.

    >>> number_alike(np.array([5, 2, 5]))
    (array([1, 0]), array([1, 0, 1]))
    """
    columns = rows.reshape(len(rows), -1)
    order = np.lexsort(columns.T[::-1])
    is_new = np.ones(len(rows), dtype=bool)
    is_new[1:] = (columns[order[1:]] != columns[order[:-1]]).any(axis=1)
    numbers = np.empty(len(rows), dtype=int)
    numbers[order] = np.cumsum(is_new) - 1
    return order[is_new], numbers


def _code(name: str, value: object) -> object:
    if name == "recompute_modules":
        return sum(1 << MODULES.index(module) for module in read_modules(value))
    return CHOICES[name].index(str(value)) if name in CHOICES else value


def encode(name: str, values: Sequence[Any]) -> list[Any]:
    """Return what an array holds for the ``values`` of the field ``name``."""
    if name not in CHOICES and name != "recompute_modules":
        return list(values)
    codes = {value: _code(name, value) for value in set(values)}
    return [codes[value] for value in values]


def _words(name: str, codes: Sequence[Any]) -> list[Any]:
    """Return the values of a field for what an array holds."""
    if name in CHOICES:
        return [CHOICES[name][int(code)] for code in codes]
    if name == "recompute_modules":
        return ["+".join(m for i, m in enumerate(MODULES) if code >> i & 1) if code else "" for code in codes]
    return list(codes)


def _array(values: list[object]) -> Array:
    return np.asarray(values)
