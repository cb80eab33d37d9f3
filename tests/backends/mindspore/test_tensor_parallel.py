"""Who holds what of a weight, and whose gradient is a term of a sum."""

import numpy as np
import pytest

from tianji.backends.mindspore.tensor_parallel import axis_of, cut_weight, is_partial
from tianji.parallel import Strategy


def test_cuts_put_together_are_the_whole() -> None:
    whole = np.arange(32, dtype=np.float32).reshape(4, 8)
    for name in ("layers.0.attention.wq.weight", "layers.0.attention.wo.weight", "head.weight"):
        axis = axis_of(name, 2, 4)
        assert axis is not None
        assert np.array_equal(np.concatenate([cut_weight(name, whole, i, 2, 4) for i in range(2)], axis), whole)


def test_what_is_whole_on_every_tensor_rank() -> None:
    assert axis_of("layers.0.attention.wo.bias", 2, 4) is None
    assert axis_of("layers.0.attention_norm.weight", 2, 4) is None
    assert axis_of("layers.0.attention.wk.weight", 8, 4) is None  # fewer key heads than ranks
    assert axis_of("layers.0.attention.wk.bias", 2, 4) == 0


@pytest.mark.parametrize(
    ("name", "with_tokens_cut", "without"),
    [
        ("layers.0.attention.q_norm.weight", True, True),
        ("layers.0.mlp_norm.weight", True, False),
        ("layers.0.mlp.down.bias", True, False),
        ("layers.0.mlp.up.weight", False, False),
    ],
)
def test_whose_gradient_is_a_term_of_a_sum(name: str, with_tokens_cut: bool, without: bool) -> None:
    assert is_partial(name, Strategy(tp=2), 4) is with_tokens_cut
    assert is_partial(name, Strategy(tp=2, sequence_parallel=False), 4) is without
    assert not is_partial(name, Strategy(), 4)
