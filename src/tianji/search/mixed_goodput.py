"""Goodput of a job on a mixture: failures of all parts together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from tianji.catalog import failures_of
from tianji.errors import IllegalStrategyError
from tianji.parallel.grid import Grid
from tianji.parallel.strategy import Strategy
from tianji.perf.memory import state_bytes
from tianji.perf.pipeline_stages import representative_stages
from tianji.perf.stages import Stage
from tianji.prediction.goodput import Goodput, expect_goodput, expect_goodput_of_parts, expose
from tianji.reliability import Reliability
from tianji.reliability.checkpoints import Exposure
from tianji.reliability.failure_case import find_joint_case
from tianji.search.mixed_planner import MixedOutcome
from tianji.search.mixed_stages import find_stages
from tianji.units import Bytes
from tianji.workload import Job

REFUSALS = {
    "batches": "the replicas of its parts are unlike, and losing one of a fast part costs more than one of a slow part",
    "stages": "each replica's pipeline runs through all parts, so that a node or a pod holds stages of several replicas",
}
"""Why the closed form of a lost replica, which takes replicas for alike and apart, does not hold."""


def expect_mixed_goodput(outcome: MixedOutcome, reliability: Reliability | None = None) -> Goodput:
    """Return the goodput of what is taken of a mixture; a part alone has that of a pool.

    Raises IllegalStrategyError where a mixture shall lose a replica and not the job, EnvelopeError where the closed forms do not
    hold.
    """
    if outcome.taken_alone:
        return expect_goodput(outcome.taken_alone, reliability)
    settings = reliability or Reliability()
    if settings.loss == "replica" or settings.replacement == "shrink":
        reason = REFUSALS[outcome.choice]
        raise IllegalStrategyError(f"a lost replica is priced on a pool of one chip only; of this mixture {reason}")
    return expect_goodput_of_parts(find_exposures(outcome), settings)


def find_spares(outcome: MixedOutcome, reliability: Reliability | None = None) -> dict[str, int]:
    """Return the spare nodes that a mixture's goodput counts on, by the name of their chip: as many as the worst case needs."""
    settings, parts = reliability or Reliability(), find_exposures(outcome)
    exposed = [(settings.profile or failures_of(part.pool.chip), part) for part in parts]
    names = dict.fromkeys(part.pool.chip.name for part in parts)
    stocks = find_joint_case(settings, exposed, "high").stocks
    return {name: stock.spares for name, stock in zip(names, stocks, strict=True)}


def find_exposures(outcome: MixedOutcome) -> tuple[Exposure, ...]:
    """Return what failures can hit of each part, where the parts are mixed.

    Every checkpoint is the whole state once, and all chips write it: side by side, where each part has all of the state, a part
    writes as much of it as it has of the chips.
    """
    job, chain, step_time = outcome.job, outcome.chain, outcome.step_time.nominal
    exposures = []
    if outcome.choice == "stages" and chain:
        for pool, stages in zip(chain.pools, find_stages(job.model, chain.layers), strict=True):
            whole = expose(job, pool, chain.strategy, _held(job, chain.strategy, stages), step_time)
            model_chips = whole.model_chips * pool.chips // whole.chips
            exposures.append(replace(whole, chips=pool.chips, model_chips=model_chips))
        return tuple(exposures)
    for share in outcome.division.shares if outcome.division else ():
        fullest = representative_stages(job.model, Grid.of(share.strategy))
        whole = expose(job, share.pool, share.strategy, _held(job, share.strategy, fullest), step_time)
        exposures.append(replace(whole, share=whole.share * share.pool.chips / outcome.mixture.chips))
    return tuple(exposures)


def _held(job: Job, strategy: Strategy, stages: Iterable[Stage]) -> Bytes:
    """Return the optimizer's bytes on the fullest chip of these stages."""
    grid = Grid.of(strategy)
    return max(float(np.max(state_bytes(job, stage, grid)["optimizer"])) for stage in stages)
