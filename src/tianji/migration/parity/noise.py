"""How far two runs are apart by each statistic, and how much of it noise and rounding explain."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tianji.migration.parity import statistics as stats
from tianji.migration.parity.logs import RunLog

Statistic = Callable[[RunLog, RunLog, Sequence[int]], float]


class Noise:
    """What noise alone may make of a statistic: the spread of repeats by Student's t, and rounding."""

    def __init__(self, reference: RunLog, repeats: Sequence[RunLog], steps: Sequence[int], precision: str) -> None:
        self.runs = [reference, *repeats]
        self.steps = steps
        self.rounding = stats.ROUNDING[precision]

    @property
    def is_known(self) -> bool:
        """Whether there are repeats."""
        return len(self.runs) > 1

    def spread(self, statistic: Statistic) -> float | None:
        """Return how far a further repeat may lie from the reference, or None where there are no repeats."""
        if not self.is_known:
            return None
        first, *others = self.runs
        values = [statistic(first, other, self._common(other)) for other in others]
        finite = [value for value in values if math.isfinite(value)]
        if not finite:
            return math.inf
        # Distances to one run: their root mean square is an estimate of the usual distance with as many degrees of freedom.
        root = math.sqrt(sum(value * value for value in finite) / len(finite))
        return min(root * stats.t_quantile(len(finite)), 10 * max(finite)) if len(finite) > 1 else 10 * root

    def _common(self, other: RunLog) -> Sequence[int]:
        return [step for step in self.steps if step in other.losses]


def losses_at(log: RunLog, steps: Sequence[int]) -> list[float]:
    """Return the losses at some steps."""
    return [log.losses[step] for step in steps]


def norm_steps(a: RunLog, b: RunLog, steps: Sequence[int]) -> list[int]:
    """Return the steps at which both runs have a gradient norm."""
    return [step for step in steps if step in a.norms and step in b.norms]


def first_loss(a: RunLog, b: RunLog, steps: Sequence[int]) -> float:
    """Return the relative difference of the first common loss."""
    return stats.relative(a.losses[steps[0]], b.losses[steps[0]])


def first_norm(a: RunLog, b: RunLog, steps: Sequence[int]) -> float:
    """Return the relative difference of the first common gradient norm."""
    common = norm_steps(a, b, steps)
    return stats.relative(a.norms[common[0]], b.norms[common[0]]) if common else 0.0


def second_loss(a: RunLog, b: RunLog, steps: Sequence[int]) -> float:
    """Return the relative difference of the second common loss: the first after an update of the weights."""
    return stats.relative(a.losses[steps[1]], b.losses[steps[1]])


def mean_loss(a: RunLog, b: RunLog, steps: Sequence[int]) -> float:
    """Return the mean relative difference of the losses."""
    return stats.mean_relative(losses_at(a, steps), losses_at(b, steps))


def mean_norm(a: RunLog, b: RunLog, steps: Sequence[int]) -> float:
    """Return the mean relative difference of the gradient norms."""
    common = norm_steps(a, b, steps)
    return stats.mean_relative([a.norms[s] for s in common], [b.norms[s] for s in common])


def largest_loss(a: RunLog, b: RunLog, steps: Sequence[int]) -> float:
    """Return the largest relative difference of a step's loss."""
    return max(stats.relative(a.losses[s], b.losses[s]) for s in steps)


def late_loss(a: RunLog, b: RunLog, steps: Sequence[int]) -> float:
    """Return by how much the losses of the last fifth differ, relative."""
    return abs(stats.late_difference(losses_at(a, steps), losses_at(b, steps)))
