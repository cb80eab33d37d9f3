"""A plan counts its micro-batches and its idle chips."""

from samples import make_plan
from tianji.parallel import Strategy


def test_micro_batches() -> None:
    assert make_plan(Strategy(dp=4, micro_batch_size=2), batch=64).num_microbatches == 8


def test_idle_chips() -> None:
    assert make_plan(Strategy(dp=4), chips=7).idle_chips == 3
