"""The obvious choice: what a rule of thumb gives, to set beside the best plan."""

from __future__ import annotations

from tianji.catalog import load_calibration
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.parallel.grid import Grid
from tianji.parallel.legality import is_legal
from tianji.parallel.plan import Plan
from tianji.parallel.software_fields import hold_fields
from tianji.parallel.strategy import Strategy
from tianji.prediction import fits
from tianji.search.space import divisors
from tianji.workload import Job


def naive_strategy(job: Job, pool: Pool, calibration: Calibration | None = None) -> Strategy | None:
    """Return the rule-of-thumb layout: tp fills the node, experts over the node's ranks, the smallest pp that fits, dp the rest.

    None when the rule of thumb gives nothing legal.
    """
    constants = (calibration or load_calibration()).constants(pool.chip)
    decided = hold_fields(calibration, pool.chip, {}) if calibration else {}
    fitting = [t for t in divisors(min(pool.node, pool.chips)) if job.model.num_attention_heads % t == 0]
    for tp in reversed(fitting):
        for pp in (p for p in divisors(pool.chips // tp) if p <= job.model.num_layers):
            dp = pool.chips // (tp * pp)
            ep = 1
            if job.model.moe:
                ep = max(e for e in divisors(job.model.moe.num_experts) if e <= pool.node and (tp * dp) % e == 0)
            s = Strategy(tp=tp, pp=pp, dp=dp, ep=ep, **decided)
            if is_legal(Grid.of(s), job, pool).all() and fits(Plan(job, pool, s), constants):
                return s
    return None
