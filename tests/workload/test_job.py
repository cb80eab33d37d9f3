"""A job's sizes, and what is refused."""

import pytest

from samples import job
from tianji.errors import FormatError


def test_tokens_of_a_step() -> None:
    assert job(seq_len=1024, batch=64).tokens_per_step == 65_536


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"seq_len": 0}, "seq_len: expected a whole number of at least 1, got 0"),
        ({"batch": -3}, "global_batch_size: expected a whole number of at least 1, got -3"),
        ({"moe_imbalance": 0.5}, "moe_imbalance: expected at least 1"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(fields: dict[str, float], said: str) -> None:
    with pytest.raises(FormatError, match=said):
        job(**fields)
