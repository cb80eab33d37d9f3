"""A relay over equal chips is the plain pipeline; unlike chips and slow joints cost what they must."""

from dataclasses import replace

import numpy as np
import pytest

from tianji.catalog import load_model, load_pool
from tianji.hardware import Figure, Tier
from tianji.hardware.calibration import Constants
from tianji.parallel.grid import Grid
from tianji.parallel.strategy import Strategy
from tianji.perf.segments import Segment, estimate_segments
from tianji.perf.step import estimate, every_stage
from tianji.workload import Job, find_precision

MODEL = load_model("llama-3.1-8b")
JOB = Job(MODEL, 4096, 64, find_precision("bf16"))
STRATEGY = Strategy(tp=2, pp=4, dp=4)
EQUAL = load_pool("hgx-h100", chips=32)
CONSTANTS = Constants(matmul_efficiency=0.7, scale_up_efficiency=0.7, scale_out_efficiency=0.7)


def joint(rate: float) -> Tier:
    return Tier("joint", "clos", 0, Figure(rate, "test", "user"), None, kind="scale-out")


def relay(rate: float, second: Constants = CONSTANTS) -> float:
    stages = every_stage(JOB, 4)
    pool = replace(EQUAL, chips=16)
    legs = [Segment(pool, CONSTANTS, tuple(stages[:2])), Segment(pool, second, tuple(stages[2:]))]
    return float(np.ravel(estimate_segments(JOB, legs, joint(rate), Grid.of(STRATEGY)).step_time)[0])


def test_equal_legs_over_the_pools_own_link_are_the_plain_pipeline() -> None:
    plain = float(np.ravel(estimate(JOB, EQUAL, CONSTANTS, Grid.of(STRATEGY)).step_time)[0])
    assert relay(50e9) == pytest.approx(plain, rel=1e-3)


def test_a_slower_leg_slows_the_relay_and_by_no_more_than_itself() -> None:
    slow = replace(CONSTANTS, matmul_efficiency=0.35)
    assert relay(50e9) < relay(50e9, slow) < 2.0 * relay(50e9)


def test_a_slower_joint_is_never_faster() -> None:
    times = [relay(rate) for rate in (1e12, 50e9, 5e9, 5e8, 5e7)]
    assert times == sorted(times)


def test_a_very_slow_joint_sets_the_pace_itself() -> None:
    # Once forward and once backward for every micro-batch, and once more each way to fill and drain.
    microbatches, activations = 16, 4096 / 2 * 4096 * 2.0
    rate = 1e5
    assert relay(rate) == pytest.approx((2 * microbatches + 2) * activations / (rate * 0.7), rel=0.01)


def test_chips_that_share_processors_lend_their_waits_as_in_the_plain_pipeline() -> None:
    shared = replace(CONSTANTS, sharing=2.0)
    stages, pool = every_stage(JOB, 4), replace(EQUAL, chips=16)
    plain = float(np.ravel(estimate(JOB, EQUAL, shared, Grid.of(STRATEGY)).step_time)[0])
    legs = [Segment(pool, shared, tuple(stages[:2])), Segment(pool, shared, tuple(stages[2:]))]
    both = float(np.ravel(estimate_segments(JOB, legs, joint(50e9), Grid.of(STRATEGY)).step_time)[0])
    assert both == pytest.approx(plain, rel=1e-3)
    assert both < relay(50e9)
    assert relay(50e9, shared) == pytest.approx(relay(50e9), rel=1e-9)  # the others lend nothing
