"""One change at a time: what each single step away from a plan would give, the largest gain first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tianji.hardware.calibration import Calibration
from tianji.parallel.grid import Grid
from tianji.parallel.legality import is_legal
from tianji.parallel.plan import Plan
from tianji.parallel.schedules import SCHEDULES
from tianji.parallel.strategy import CHOICES, Strategy
from tianji.prediction import predict_together
from tianji.result import Result
from tianji.search.space import ON_REQUEST, chunk_counts
from tianji.search.worlds import draw_worlds
from tianji.units import Seconds

LEAST_GAIN = 0.001
"""Share of a step below which a change is not worth a line."""
OVERLAPS = ("overlap_dp", "overlap_tp", "overlap_pp", "overlap_ep", "sequence_parallel", "flash_attention")
"""Switches that are tried the other way."""


@dataclass(frozen=True, slots=True)
class Change:
    """One strategy field with another value, or one switch of the software.

    Where it is a degree of all chips, data parallelism takes the rest.
    """

    field: str
    value: Any
    result: Result
    chance: float = 1.0
    """That it is faster than the plan, over the worlds of what step times may be."""
    typed: str = ""
    """What to type for a switch of the software; empty for a field of the strategy."""

    @property
    def flag(self) -> str:
        """What to type for it.

        >>> Change("etp", 1, None).flag, Change("overlap_dp", False, None).flag
        ('--etp 1', '--no-overlap-dp')
        """
        if self.typed:
            return self.typed
        name = self.field.replace("_", "-")
        if isinstance(self.value, bool):
            return f"--{'' if self.value else 'no-'}{name}"
        return f"--{name} {self.value}"

    @property
    def step_time(self) -> Seconds:
        """Predicted, nominal."""
        return self.result.step_time.nominal


def find_changes(plan: Plan, calibration: Calibration) -> tuple[Change, ...]:
    """Return the single changes of a plan that are legal, fit the memory and gain, the fastest first.

    Of each field the value that gains most. ``overlap_ep`` is left to the switch of the software that it is (one-f-one-b), where
    the calibration knows what that costs.
    """
    known_to_software = ("overlap_ep",) if calibration.software else ()
    tried = {
        (name, value): changed
        for name, value, changed in _neighbours(plan)
        if changed != plan.strategy and name not in known_to_software
    }
    if not tried:
        return ()
    legal = np.broadcast_to(is_legal(Grid.of(*tried.values()), plan.job, plan.pool), (len(tried),))
    known = [key for key, ok in zip(tried, legal.tolist(), strict=True) if ok]
    before, *results = predict_together(
        plan.job, plan.pool, [plan.strategy, *(tried[key] for key in known)], calibration
    )
    changes = [Change(name, value, result) for (name, value), result in zip(known, results, strict=True)]
    worth = (1.0 - LEAST_GAIN) * before.step_time.nominal
    ordered = sorted((c for c in changes if c.result.fits and c.step_time <= worth), key=lambda c: c.step_time)
    faster = list({c.field: c for c in reversed(ordered)}.values())
    chances = _chances(plan, [c.result.plan.strategy for c in faster], calibration) if faster else []
    sure = (replace(change, chance=chance) for change, chance in zip(faster, chances, strict=True))
    return tuple(sorted(sure, key=lambda c: c.step_time))


def _chances(plan: Plan, strategies: Sequence[Strategy], calibration: Calibration) -> list[float]:
    """Return the share of worlds in which each strategy is faster than the plan's own."""
    used = replace(plan.pool, chips=plan.strategy.chips)
    times = draw_worlds(plan.job, used, calibration, [plan.strategy, *strategies]).drawn
    return [float(share) for share in (times[:, 1:] < times[:, :1]).mean(axis=0)]


def _neighbours(plan: Plan) -> Iterator[tuple[str, Any, Strategy]]:
    """Yield each field with another value, and the strategy with it: halves and doubles, and 1; other words; other switches."""
    s = plan.strategy
    for name in ("tp", "pp", "cp"):
        inner = s.tp * s.pp * s.cp // getattr(s, name)
        for value in _around(getattr(s, name)):
            if s.chips % (inner * value) == 0:
                changed = _with(s, **{name: value}, dp=s.chips // (inner * value))
                alone = {"schedule": "1f1b", "vpp": 1} if changed.pp == 1 else {}
                yield name, value, _with(changed, **alone)
    for name in ("ep", "etp") if plan.job.model.moe else ():
        for value in _around(getattr(s, name)):
            yield name, value, _with(s, **{name: value})
    for value in _around(s.micro_batch_size):
        yield "micro_batch_size", value, _with(s, micro_batch_size=value)
    for value in (0, 1, 2, 3):
        yield "zero", value, _with(s, zero=value, zero_group=s.zero_group if value == 3 else 0)
    for word in CHOICES["recompute"]:
        yield "recompute", word, _with(s, recompute=word)
    for name in OVERLAPS:
        yield name, not getattr(s, name), _with(s, **{name: not getattr(s, name)})
    if s.pp > 1:
        for vpp in chunk_counts(plan.job.model.num_layers, s.pp):
            yield "vpp", vpp, _with(s, schedule="interleaved", vpp=vpp)
        for word in CHOICES["schedule"]:
            if word not in ON_REQUEST and not SCHEDULES[word].is_chunked:
                yield "schedule", word, _with(s, schedule=word, vpp=1)


def _with(strategy: Strategy, **fields: Any) -> Strategy:
    return replace(strategy, **fields)


def _around(value: int) -> list[int]:
    """Return half and double of a degree, and 1.

    >>> _around(8), _around(1)
    ([1, 4, 16], [2])
    """
    return sorted({1, value * 2, *([value // 2] if value % 2 == 0 else [])} - {value})
