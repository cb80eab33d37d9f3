"""What a result derives from its time and memory, by hand."""

import pytest

from samples import make_plan
from tianji.parallel import Strategy
from tianji.ranges import Range
from tianji.result import Result
from tianji.units import DAY, TERA

RESULT = Result(
    plan=make_plan(Strategy(dp=4), chips=5, seq_len=1000, batch=64, tokens=64e6),
    kind="predicted",
    step_time=Range(1.5, 2.0, 3.0),
    breakdown={"matmul": 1.5, "bubble": 0.5},
    memory={"weights": 60.0, "activations": 30.0},
    stages=({"weights": 50.0, "activations": 20.0}, {"weights": 60.0, "activations": 30.0}),
    memory_limit=90.0,
    model_flops=400 * TERA,
    peak=100 * TERA,
)


def test_throughput() -> None:
    assert RESULT.tokens_per_s == 64_000 / 2
    assert RESULT.tokens_per_s_per_chip == 8000, "idle chips do not count"


def test_mfu() -> None:
    # 400 TFLOP in 2 s on 4 chips of 100 TFLOP/s
    assert RESULT.mfu == 0.5


def test_days() -> None:
    # 64 million tokens are 1000 steps of 2 s
    assert RESULT.days == pytest.approx(2000 / DAY)


def test_memory() -> None:
    assert RESULT.memory_total == 90
    assert RESULT.worst_stage == 1
    assert RESULT.fits
