"""What the MindSpore backend refuses: each limit with its reason, all of them at once; no environment is needed."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.backends.mindspore.support import STRATEGY_LIMITS, check_limits
from tianji.backends.options import RunOptions
from tianji.errors import IllegalStrategyError, InputError, UnsupportedModelError

from ..samples import plan_of

OPTIONS = RunOptions()
ALLOWED: list[dict[str, Any]] = [
    {},
    {"dp": 2, "zero": 1},
    {"tp": 2},
    {"tp": 2, "sequence_parallel": False},
    {"pp": 2, "schedule": "gpipe", "micro_batch_size": 2},
    {"pp": 2, "dp": 2, "tp": 2, "placement": "pp-inside"},
]
BEYOND: dict[str, dict[str, Any]] = {
    "zero=3: MindSpore has no ReduceScatter": {"dp": 2, "zero": 3},
    "cp=2: MindSpore has no AlltoAll": {"cp": 2},
    "schedule=interleaved: one stage a rank": {"pp": 2, "schedule": "interleaved", "vpp": 2},
    "recompute=full: nothing is computed again": {"recompute": "full"},
}


@pytest.mark.parametrize("strategy", ALLOWED, ids=str)
def test_what_it_runs_is_let_through(strategy: dict[str, Any]) -> None:
    check_limits(plan_of("llama", strategy), OPTIONS)


@given(st.sets(st.sampled_from(sorted(BEYOND)), min_size=1))
def test_every_reason_is_given_at_once(reasons: set[str]) -> None:
    strategy = {key: value for reason in reasons for key, value in BEYOND[reason].items()}
    with pytest.raises(IllegalStrategyError) as caught:
        check_limits(plan_of("llama", strategy), OPTIONS)
    assert all(reason in str(caught.value) for reason in reasons)
    assert str(caught.value).count("; take ") == len(reasons)


def test_every_limit_says_what_to_take_instead() -> None:
    assert all("; take " in reason for _, reason in STRATEGY_LIMITS)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("qwen-moe", "experts"),
        ("deepseek", "experts; no latent attention"),
        ("windowed", "attention in a sliding window; no sandwich norms"),
    ],
)
def test_models_that_it_lacks_parts_for_are_refused(name: str, what: str) -> None:
    with pytest.raises(UnsupportedModelError, match=f"has no {what}; take --backend torch"):
        check_limits(plan_of(name, {}), OPTIONS)


def test_other_precisions_and_checkpoints_are_refused() -> None:
    with pytest.raises(InputError, match="make it with --precision fp32"):
        check_limits(plan_of("llama", {}, "bf16"), OPTIONS)
    with pytest.raises(InputError, match="no checkpoints; take --backend torch"):
        check_limits(plan_of("llama", {}), replace(OPTIONS, checkpoint_every=5))
