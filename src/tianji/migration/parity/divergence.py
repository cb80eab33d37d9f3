"""Where two runs part: the first stage of a step that differs by more than noise and rounding explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tianji.migration.parity import statistics as stats
from tianji.migration.parity.logs import RunLog
from tianji.migration.parity.noise import Noise, first_loss, first_norm, largest_loss, second_loss


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where two runs part: the first step and the stage of it that differ by more than noise and rounding."""

    step: int
    stage: str
    value: float
    allowed: float


STAGES = (
    ("the loss (forward pass, weights or data)", first_loss, 1.0),
    ("the gradient norm (backward pass or the exchange of gradients)", first_norm, stats.NORM_FACTOR),
    ("the loss after the first update (optimizer)", second_loss, 5.0),
)
"""In the order in which a step computes: what differs, its statistic, and how much further rounding may carry it."""


def find_divergence(a: RunLog, b: RunLog, steps: Sequence[int], noise: Noise) -> Divergence | None:
    """Return the first stage of the first two steps that differs by more than noise and rounding, or the first step that does.

    A step first computes its loss, then gradients, then updates the weights: the first of these that differs names where
    to look. Later steps are judged by the limit of the mean, because rounding grows from step to step.
    """
    for title, statistic, factor in STAGES:
        value = statistic(a, b, steps)
        allowed = max(noise.rounding * factor, noise.spread(statistic) or 0.0)
        if value > allowed:
            step = steps[1] if statistic is second_loss else steps[0]
            return Divergence(step, title, value, allowed)
    spread = noise.spread(largest_loss)
    allowed = LATE if spread is None else max(spread, noise.rounding * stats.NORM_FACTOR)
    for step in steps:
        value = stats.relative(a.losses[step], b.losses[step])
        if value > allowed:
            return Divergence(step, "the loss of a later step", value, allowed)
    return None


LATE = 0.02
"""Relative difference of one step's loss from which a later step counts as parted where no repeats say what noise is."""
