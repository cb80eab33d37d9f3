"""Choosing under doubt: how sure it is that a plan is the best, what it costs if it is not, and what would settle it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import exp
from typing import Any

import numpy as np

from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.parallel.strategy import Strategy
from tianji.search.shortlist import UNLIKE
from tianji.search.worlds import OWN, SEED, Worlds, draw_worlds, regret_of
from tianji.units import Array
from tianji.workload import Job

CLOSE = 0.03
"""A plan within so much of the fastest counts as among the best: the same setting published twice differs by as much."""
ALIKE = 0.02
"""Plans whose expected regret is larger by at most so much are near-equals."""
RUN_NOISE = 0.03
"""Standard deviation of one measured step time, in the logarithm."""
WORTH_RUNNING = 24
"""Leading layouts of which pairs are tried as measurements."""
TOLD = 300
"""Leading layouts that a measurement may move to the front."""
FUTURES = 64
"""Outcomes of a pair of measurements that are tried."""
WORTHLESS = 1e-3
"""A fall of the expected regret below which no measurement is named."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one strategy stands among the shortlist."""

    chance: float
    """Of being within CLOSE of the fastest."""
    regret: float
    """Expected time over that of the fastest, less 1: the mean over all worlds."""


@dataclass(frozen=True, slots=True)
class NearEquals:
    """Layouts that are as good as the best one, together."""

    count: int
    within: float
    shared: Mapping[str, Any]
    """Fields that are alike in all of them."""
    ranges: Mapping[str, tuple[Any, ...]]
    """The values of the other fields, ascending."""


@dataclass(frozen=True, slots=True)
class Settling:
    """Two layouts to run, after which the choice is surest."""

    first: Strategy
    other: Strategy
    regret: float
    """Expected regret of the choice after both runs."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The strategies of a shortlist, those of least expected regret first, and what is known of the first."""

    strategies: tuple[Strategy, ...]
    standings: tuple[Standing, ...]
    optimism: float
    """Share by which the least of so many estimates is too small."""
    near: NearEquals
    settling: Settling | None
    """None where nothing is to be settled."""
    worlds: int
    seed: int

    def correct(self, step_time: float) -> float:
        """Return the step time of the best plan, corrected for having been chosen as the best."""
        return step_time * (1.0 + self.optimism)


def choose(
    job: Job, pool: Pool, calibration: Calibration, strategies: Sequence[Strategy], seed: int = SEED
) -> Choice | None:
    """Return strategies on one number of chips in the order of their expected regret; of equal ones the given order stays.

    None where the calibration says nothing of its ranges: pure physics has no doubt that could be drawn.
    """
    if not strategies or not calibration.spread(pool.chip).basis:
        return None
    worlds = draw_worlds(job, pool, calibration, strategies, seed=seed)
    # What layouts have of their own is alike in all of them: it cannot order them, and its noise would.
    order = np.argsort(np.round(regret_of(worlds.shared).mean(axis=0), 12), kind="stable").tolist()
    regret = regret_of(worlds.drawn)
    means, chances = regret.mean(axis=0), (regret <= CLOSE).mean(axis=0)
    ranked = tuple(strategies[i] for i in order)
    standings = tuple(Standing(float(chances[i]), float(means[i])) for i in order)
    return Choice(
        ranked, standings, exp(worlds.optimism) - 1.0, group_near_equals(ranked, standings),
        settle(worlds, ranked, order, float(means[order[0]])), len(worlds.shared), seed,
    )  # fmt: skip


def group_near_equals(ranked: Sequence[Strategy], standings: Sequence[Standing], within: float = ALIKE) -> NearEquals:
    """Return the strategies whose expected regret is within so much of the first's, by what they share."""
    members = [s for s, its in zip(ranked, standings, strict=True) if its.regret <= standings[0].regret + within]
    values = {name: tuple(sorted({getattr(s, name) for s in members})) for name in (*UNLIKE, "zero")}
    return NearEquals(
        len(members), within,
        {name: found[0] for name, found in values.items() if len(found) == 1},
        {name: found for name, found in values.items() if len(found) > 1},
    )  # fmt: skip


def settle(worlds: Worlds, ranked: Sequence[Strategy], order: Sequence[int], regret: float) -> Settling | None:
    """Return the two layouts whose measured times are expected to lower the ``regret`` of the choice most.

    Log times are taken as jointly normal with the worlds' means and covariance. Two measurements move the mean of each strategy
    by a normal amount, K z; the expected least of the moved means is what the choice takes then (the knowledge gradient of
    Frazier, Powell & Dayanik 2009, for pairs). ``order`` are the places of the ``ranked`` strategies in the worlds.
    """
    drawn = worlds.shared[:, order[:TOLD]]
    means, leading = drawn.mean(axis=0), min(len(order), WORTH_RUNNING)
    covariance = np.cov(drawn, rowvar=False, bias=True).reshape(len(means), -1) + OWN**2 * np.eye(len(means))
    normal = np.random.default_rng(SEED).standard_normal((FUTURES // 2, 2))
    normal = np.concatenate([normal, -normal])
    pairs = list(combinations(range(leading), 2))
    gains = [_gain(means, covariance, list(pair), normal) for pair in pairs]
    if not gains or max(gains) < WORTHLESS:
        return None
    first, other = pairs[int(np.argmax(gains))]
    return Settling(ranked[first], ranked[other], max(regret - max(gains), 0.0))


def _gain(means: Array, covariance: Array, pair: list[int], normal: Array) -> float:
    """Return by how much the least mean is expected to fall once a pair is measured."""
    felt = covariance[:, pair]
    among = felt[pair, :] + RUN_NOISE**2 * np.eye(2)
    moved = means + normal @ (felt @ np.linalg.inv(np.linalg.cholesky(among)).T).T
    return float(means.min() - moved.min(axis=1).mean())
