"""Layouts as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.errors import FormatError, IllegalStrategyError
from tianji.parallel import Strategy
from tianji.parallel.layouts import abbreviate_layout, complete_layout, format_layout, read_layout


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("tp=8", {"tp": 8}),
        ("TP=8 pp=4", {"tp": 8, "pp": 4}),
        ("mbs=2", {"micro_batch_size": 2}),
        ("overlap-tp=off,zero = 3", {"overlap_tp": False, "zero": 3}),
        ("tp=8,tp=8", {"tp": 8}),
        ("pp=4,stages=3,4,4,3,dp=2", {"pp": 4, "stages": "Et*3|(t*4|)*2t*3L", "dp": 2}),
        ("layout=Et|(t|)*2,mL zero=1", {"stages": "Et|(t|)*2mL", "zero": 1}),
        ("stages=dealt", {"stages": ""}),
    ],
)
def test_read_layout(text: str, fields: dict[str, object]) -> None:
    assert read_layout(text) == fields


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected field=value"),
        ("tp", "expected field=value"),
        ("tp=", "expected field=value"),
        ("=8", "expected field=value"),
        ("tp=8,tp=4", "tp is given twice, as 8 and as 4"),
        ("tq=8", "did you mean"),
        ("tp=0", "at least 1"),
        ("schedule=round", "expected one of 1f1b"),
        ("stages=tE", "strategy.stages: expected the layers of each chunk"),
    ],
)
def test_what_a_layout_refuses(text: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_layout(text)
    assert message in str(caught.value)


def test_data_parallel_takes_what_is_left() -> None:
    assert complete_layout({"tp": 8, "pp": 3}, 48).dp == 2
    assert complete_layout({"tp": 8, "dp": 1}, 48).chips == 8


def test_as_many_stages_as_are_written() -> None:
    assert complete_layout({"stages": "2,2,4"}, 6) == Strategy(pp=3, dp=2, stages="Et*2|t*2|t*4L")
    assert complete_layout({"stages": "2,2,2,2", "vpp": 2}, 6).pp == 2


def test_chunks_mean_interleaving() -> None:
    assert complete_layout({"pp": 2, "vpp": 4}, 2).schedule == "interleaved"


@pytest.mark.parametrize(("chips", "message"), [(50, "does not divide 50 chips"), (4, "more than the 4 chips")])
def test_chips_that_do_not_divide(chips: int, message: str) -> None:
    with pytest.raises(IllegalStrategyError, match=message):
        complete_layout({"tp": 8}, chips)


STRATEGIES = st.builds(
    Strategy,
    tp=st.integers(1, 64),
    pp=st.integers(1, 64),
    dp=st.integers(1, 999),
    ep=st.integers(1, 64),
    micro_batch_size=st.integers(1, 16),
    zero=st.integers(0, 3),
    zero_group=st.integers(0, 64),
    recompute=st.sampled_from(["none", "selective", "full"]),
    recompute_layers=st.sampled_from([0.25, 0.5, 1.0]),
    schedule=st.sampled_from(["1f1b", "gpipe", "zero-bubble", "dualpipe"]),
    placement=st.sampled_from(["dp-inside", "pp-inside"]),
    overlap_tp=st.booleans(),
    overlap_ep=st.booleans(),
)


@given(STRATEGIES)
def test_what_is_spelt_is_read_back(strategy: Strategy) -> None:
    assert complete_layout(read_layout(format_layout(strategy)), strategy.chips) == strategy


def test_a_table_has_room() -> None:
    assert abbreviate_layout(Strategy(dp=8, zero=3, zero_group=4)) == "dp8 mbs1 zero3/4"
    assert abbreviate_layout(Strategy(cp=2, cp_kind="ulysses", overlap_tp=False, overlap_ep=True)) == (
        "cp2 dp1 mbs1 zero1 ulysses no-overlap-tp overlap-ep"
    )
