"""Speed of goodput, as ratios measured side by side: the closed form beside a prediction, the Monte Carlo beside its dice.

Usage: python benchmarks/goodput.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from tianji import Plan, Reliability, Strategy, load_calibration, load_pool, make_job
from tianji.catalog import load_failures
from tianji.prediction import predict
from tianji.prediction.goodput import expect_goodput, find_exposure
from tianji.reliability.montecarlo import sample

CHIPS, JOBS = 131_072, 10_000


def best_of(repeats: int, function: Callable[[], object]) -> float:
    """Return the shortest of some wall-clock times, in seconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    job = make_job("llama-3.1-405b", global_batch_size=8192)
    plan = Plan(job, load_pool("hgx-h100", CHIPS), Strategy(tp=8, pp=16, dp=CHIPS // 128))
    calibration = load_calibration()
    result = predict(plan, calibration)
    price = best_of(10, lambda: predict(plan, calibration))
    closed = best_of(100, lambda: expect_goodput(result))
    print(f"closed form, three cases: {closed / price:.3f} of one prediction ({closed:.2e} s)")
    profile, exposure = load_failures(), find_exposure(result)
    for name, settings in (
        ("whole job", Reliability()),
        ("all rungs and stores", Reliability(recovery="in-process", stores=("local", "peer", "storage"))),
        ("lost replicas of 8,192", Reliability(loss="replica", replica_chips=8192)),
    ):
        found = sample(settings, profile, exposure, jobs=2)
        draws = round(settings.horizon / found.mtbf)
        rng = np.random.default_rng(0)
        dice = best_of(1, lambda draws=draws, rng=rng: [rng.standard_exponential(JOBS) for _ in range(draws)])
        runs = best_of(1, lambda settings=settings: sample(settings, profile, exposure, jobs=JOBS))
        print(f"{name}: {JOBS:,} job-months of {draws:,} failures {runs:.2f} s, {runs / dice:.1f} times their dice")


if __name__ == "__main__":
    main()
