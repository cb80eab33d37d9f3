"""The bytes that one chip sends in a step, by axis, as the cost model counts them.

No second count: the very formulas that price a step are asked about links of one byte a second, without latency and with nothing
hidden, so that seconds are bytes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tianji.hardware import Figure, Tier
from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid
from tianji.parallel.plan import Plan
from tianji.perf.step import estimate
from tianji.units import Bytes

AXES = ("tp", "cp", "ep", "dp")

_UNIT = Tier("unit", "switch", 0, Figure(1.0, "definition", "user"), None)


def predict_traffic(plan: Plan) -> dict[str, Bytes]:
    """Return the bytes that a chip of the busiest stage sends in a step over the axes tp, cp, ep and dp.

    Pipeline sends are left out: in most schedules they are no term of their own.
    """
    strategy = replace(plan.strategy, overlap_dp=False, overlap_tp=False, overlap_pp=False, overlap_ep=False)
    pool = replace(plan.pool, tiers=(_UNIT,), chips=max(strategy.chips, 2))
    terms = estimate(plan.job, pool, replace(Constants(), overlap_efficiency=0.0), Grid.of(strategy)).terms
    return {axis: float(np.ravel(terms[f"{axis}_comm"])[0]) for axis in AXES}
