"""Runs that never happened: the model's own predictions under known constants, on 64 H100."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tianji.calibration import FitSample
from tianji.calibration.parameters import prior_constants
from tianji.catalog import load_model, load_pool
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import Strategy
from tianji.prediction import bundle, predict_many
from tianji.workload import Job
from tianji.workload.precision import PRECISIONS

LAYOUTS = [
    {"tp": t, "pp": p, "dp": 64 // t // p, "micro_batch_size": b, "recompute": r}
    for t in (1, 2, 4, 8)
    for p in (1, 2, 4)
    for b in (1, 2)
    for r in ("none", "full")
]


def plans(pool_name: str = "hgx-h100", model_name: str = "llama-3-8b") -> list[Plan]:
    job = Job(load_model(model_name), 4096, 256, PRECISIONS["bf16"])
    pool = load_pool(pool_name).with_chips(64)
    return [Plan(job, pool, Strategy(**layout)) for layout in LAYOUTS]  # type: ignore[arg-type]


def make(factor: float = 1.0, traits: tuple[str, ...] = ("megatron-lm",), **changed: float) -> list[FitSample]:
    found = plans()
    truth = replace(prior_constants(found[0].pool.chip), **changed)
    times = predict_many(bundle(found), lambda _: truth).step_time
    return [FitSample(p, float(t) * factor, "a", "b", traits) for p, t in zip(found, times, strict=True)]


@pytest.fixture
def samples() -> Callable[..., list[FitSample]]:
    return make
