"""The strategy of a row: what it states, and what its framework does where it states nothing."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tables import MOE, cells

from tianji.errors import InputError
from tianji.hardware.calibration import Calibration
from tianji.measurements.layouts import ONE_CHUNK, read_schedule
from tianji.measurements.rows import Row, read_setup
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import CHOICES, SWITCHES, Strategy
from tianji.prediction import predict
from tianji.validation import predict_rows

DEGREES = st.fixed_dictionaries({n: st.sampled_from([1, 2, 4]) for n in ("tp", "pp", "cp", "vpp", "micro_batch_size")})


def read_strategy(**changes: str) -> Strategy:
    return read_setup(cells(**changes)).strategy


@given(DEGREES, st.data())
def test_what_a_row_states_is_what_its_strategy_holds(degrees: dict[str, int], data: st.DataObject) -> None:
    words = {n: data.draw(st.sampled_from(w)) for n, w in CHOICES.items() if n not in ("placement", "schedule")}
    switches = {name: data.draw(st.booleans()) for name in SWITCHES if name != "offload_weights"}
    zero = data.draw(st.integers(0, 3))
    stated: dict[str, Any] = {**degrees, **words, **switches, "zero": zero, "n_chips": 64, "recompute_share": 0.25}
    try:
        strategy = read_strategy(**{name: str(value) for name, value in stated.items()})
    except InputError:
        assume(False)
    for name, value in {**degrees, **words, **switches, "zero": zero}.items():
        if name != "vpp" or degrees["pp"] > 1:
            assert getattr(strategy, name) == value, name
    assert strategy.recompute_layers == (1.0 if strategy.recompute == "none" else 0.25)
    assert strategy.chips == 64


@pytest.mark.parametrize(
    ("framework", "habits"),
    [
        ("megatron-lm", {"overlap_dp": True, "weight_gather": "hidden", "flash_attention": True, "etp": 2}),
        ("mindspeed", {"overlap_dp": False, "weight_gather": "exposed", "etp": 2}),
        ("vtrain", {"overlap_dp": False, "flash_attention": False}),
        ("deepspeed", {"overlap_dp": True, "weight_gather": "exposed"}),
        ("internevo", {"weight_gather": "broadcasts"}),
        ("torchtitan", {"etp": 1, "ep_kind": "all_to_all"}),
        ("hai-llm", {"ep_kind": "deduplicated", "etp": 1}),
        ("xtuner", {"cp_kind": "ulysses"}),
        ("one-of-ours", {"overlap_dp": True, "etp": 2, "cp_kind": "ring"}),
    ],
)
def test_where_nothing_is_stated_a_framework_does_as_it_always_does(framework: str, habits: dict[str, Any]) -> None:
    strategy = read_strategy(framework=framework, **MOE)
    assert {name: getattr(strategy, name) for name in habits} == habits


def test_a_stated_switch_overrides_the_habit() -> None:
    strategy = read_strategy(framework="mindspeed", overlap_dp="true", weight_gather="hidden", flash_attention="false")
    assert (strategy.overlap_dp, strategy.weight_gather, strategy.flash_attention) == (True, "hidden", False)


@pytest.mark.parametrize(
    ("dispatcher", "kind"),
    [("deep_ep", "deduplicated"), ("hybrid_ep", "deduplicated"), ("all_to_all", "all_to_all"), ("", "all_to_all")],
)
def test_a_dispatcher_says_how_tokens_reach_experts(dispatcher: str, kind: str) -> None:
    assert read_strategy(dispatcher=dispatcher, **MOE).ep_kind == kind


@pytest.mark.parametrize("schedule", ONE_CHUNK)
def test_a_schedule_of_its_own_is_not_interleaved(schedule: str) -> None:
    assert read_schedule(cells(schedule=schedule, vpp="4"), pp=4) == (schedule, 1)
    assert read_schedule(cells(schedule=schedule, vpp="4"), pp=1) == ("1f1b", 1)


def test_chunks_make_a_pipeline_interleaved() -> None:
    assert read_schedule(cells(vpp="4"), pp=4) == ("interleaved", 4)
    assert read_schedule(cells(vpp="4"), pp=1) == ("1f1b", 1)


@pytest.mark.parametrize(("stated", "group"), [("2", 2), ("4", 0), ("8", 0), ("", 0)])
def test_a_group_of_all_ranks_is_no_group(stated: str, group: int) -> None:
    assert read_strategy(zero_group=stated).zero_group == group


def test_one_rank_shards_nothing_and_need_not_say_so() -> None:
    assert read_strategy(zero="", tp="8").zero == 0


@pytest.mark.parametrize(("batch", "zero"), [("8", 2), ("64", 1)])
def test_mindspore_keeps_no_gradient_of_a_single_micro_batch(batch: str, zero: int) -> None:
    assert read_strategy(framework="mindformers", global_batch_size=batch).zero == zero


@pytest.mark.parametrize(("stated", "share"), [("", 1.0), ("3", 3 / 8), ("99", 1.0)])
def test_layers_whose_activations_move_are_a_share_of_the_chunk(stated: str, share: float) -> None:
    row = cells(pool="hgx-h100", layers="16", pp="2", offload="activations", offload_num_layers=stated)
    found = read_setup(row).strategy.offload_activations
    assert found == pytest.approx(share)


def test_more_chunks_than_layers_give_the_embedding_and_the_head_their_own() -> None:
    row = cells(pool="hgx-h100", layers="6", pp="2", vpp="4")
    assert read_setup(row).strategy.stages == "E|(t|)*6L"


def test_a_row_states_what_its_stages_hold() -> None:
    even = read_setup(cells(pp="2", tp="1", n_chips="8"))
    uneven = read_setup(cells(pp="2", tp="1", n_chips="8", stages="18,6"))
    assert (even.strategy.stages, uneven.strategy.stages) == ("", "Et*18|t*6L")
    assert read_strategy(pp="1", stages="24").stages == ""
    priced = [predict(Plan(s.job, s.pool, s.strategy)).step_time.nominal for s in (even, uneven)]
    assert priced[1] > priced[0]
    rows = [Row(name, "", "", "", "pretrain", one, 1.0) for name, one in (("even", even), ("uneven", uneven))]
    together = [p.step_time for p in predict_rows(rows, Calibration())]
    apart = [p.step_time for row in rows for p in predict_rows([row], Calibration())]
    assert together == pytest.approx(apart) and together[1] > together[0]


@pytest.mark.parametrize(
    ("stages", "reason"), [("14,9", "holds 23 layers"), ("8,8,8", "names 3 chunks"), ("Ex*3L", "strategy.stages")]
)
def test_stages_that_do_not_fit_the_run_are_refused(stages: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_strategy(pp="2", tp="1", n_chips="8", stages=stages)
