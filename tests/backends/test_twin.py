"""A twin keeps what its plan cuts, on few ranks, and the trainer takes it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tianji.backends.support import check_support
from tianji.backends.twin import MOST_RANKS, make_twin
from tianji.catalog import load_pool, make_job
from tianji.errors import InfeasibleError, InputError
from tianji.exporters.runnable import plan_for_framework
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.search import SearchOptions
from tianji.workload import Model
from tianji.workload.plain import block_of

DENSE, SPARSE = "llama-3.1-70b", "qwen3-235b-a22b"
PATTERNED = ("gemma-3-27b", "llama-4-scout", "qwen3-next-80b-a3b", "nemotron-3-nano-30b-a3b", "minimax-m1")
WITHOUT_EXPERTS = (DENSE, "gemma-3-27b")


def large(model: str, **fields: object) -> Plan:
    strategy = Strategy(**fields)  # type: ignore[arg-type]
    return Plan(make_job(model, 4096, 1024), load_pool("hgx-h100", strategy.chips), strategy)


def kinds_of(model: Model) -> set[str]:
    """The kinds of layers in words."""
    return {block_of(model, i).title for i in range(model.num_layers)}


@settings(max_examples=60, deadline=None)
@given(
    model=st.sampled_from([DENSE, SPARSE, "deepseek-v3", *PATTERNED]), tp=st.sampled_from([1, 2, 8]),
    pp=st.sampled_from([1, 2, 8]), cp=st.sampled_from([1, 2]), dp=st.sampled_from([1, 8, 32]),
    zero=st.sampled_from([0, 1, 2, 3]), ranks=st.integers(2, 16),
    schedule=st.sampled_from(["1f1b", "gpipe", "zero-bubble", "zbv", "dualpipe"]), is_expert=st.booleans(),
    recompute=st.sampled_from(["none", "selective", "full"]), offload=st.sampled_from([0.0, 0.5, 1.0]),
)  # fmt: skip
def test_a_twin_runs_on_no_more_ranks_and_cuts_only_what_is_cut(
    model: str,
    tp: int,
    pp: int,
    cp: int,
    dp: int,
    zero: int,
    ranks: int,
    schedule: str,
    is_expert: bool,
    recompute: str,
    offload: float,
) -> None:
    ep = min(8, dp * cp) if is_expert and model not in WITHOUT_EXPERTS else 1
    plan = large(
        model, tp=tp, pp=pp, cp=cp, dp=dp, ep=ep, zero=zero, schedule=schedule if pp > 1 else "1f1b", recompute=recompute,
        offload_optimizer=offload, offload_activations=offload,
    )  # fmt: skip
    twin = make_twin(plan, ranks)
    small = twin.plan.strategy
    check_support(twin.plan)
    assert small.chips <= ranks
    assert all(getattr(small, axis) == 1 or getattr(plan.strategy, axis) > 1 for axis in ("tp", "pp", "cp", "dp", "ep"))
    assert small.schedule == (plan.strategy.schedule if small.pp > 1 else "1f1b")
    assert bool(twin.plan.job.model.moe) == bool(plan.job.model.moe)
    assert bool(twin.plan.job.model.mla) == bool(plan.job.model.mla)
    assert kinds_of(twin.plan.job.model) == kinds_of(plan.job.model)
    assert twin.plan.job.model.num_parameters < 5_000_000
    assert (small.recompute == plan.strategy.recompute) != any(what.startswith("recompute=") for what in twin.dropped)
    named = " ".join(twin.dropped)
    for axis in ("tp", "pp", "cp", "dp", "ep"):
        if getattr(plan.strategy, axis) > 1:
            assert (axis in twin.kept) != (f"{axis}:" in named)


def test_with_ranks_enough_every_axis_is_kept() -> None:
    twin = make_twin(large(SPARSE, tp=4, pp=4, cp=2, dp=8, ep=8), 16)
    assert set(twin.kept) == {"tp", "pp", "cp", "dp", "ep"}
    assert not twin.dropped


@pytest.mark.parametrize("ranks", [0, 1, MOST_RANKS + 1])
def test_a_number_of_ranks_that_cuts_nothing_is_refused(ranks: int) -> None:
    with pytest.raises(InfeasibleError, match="--twin: expected 2 to 64 ranks"):
        make_twin(large(DENSE, tp=8), ranks)


def test_plans_for_the_own_trainer_are_such_that_it_takes_them() -> None:
    job, pool = make_job("llama-3.1-8b", 4096, 64), load_pool("hgx-h100", 16)
    runnable = plan_for_framework("tianji", job, pool, options=SearchOptions(top=5))
    assert len(runnable.outcome.results) == 5
    for result in runnable.outcome.results:
        check_support(result.plan)
    with pytest.raises(InputError, match="--fix etp=2: tianji has etp of 1"):
        plan_for_framework("tianji", job, pool, options=SearchOptions(fixed={"etp": 2}))
