"""Degrees and switches that are in range, and messages for those that are not."""

from typing import Any

import pytest

from tianji.errors import FormatError
from tianji.parallel import CHOICES, FIELDS, Strategy, read_field, read_strategy
from tianji.parallel.layouts import complete_layout, read_layout


def test_every_switch_that_the_space_promises_is_there() -> None:
    promised = {
        "tp", "sequence_parallel", "pp", "vpp", "cp", "cp_kind", "ep", "etp", "dp", "zero", "zero_group",
        "micro_batch_size", "recompute", "schedule", "weight_gather", "overlap_dp", "overlap_tp", "overlap_pp",
        "overlap_ep", "offload_optimizer", "placement",
    }  # fmt: skip
    assert promised <= set(FIELDS)
    assert set(CHOICES["recompute"]) == {"none", "selective", "full"}
    assert set(CHOICES["schedule"]) == {"gpipe", "1f1b", "interleaved", "zero-bubble", "dualpipe", "dualpipev", "zbv"}
    assert set(CHOICES["cp_kind"]) == {"ring", "ulysses", "all_gather"}


def test_chips() -> None:
    assert Strategy(tp=8, pp=4, cp=2, dp=16, ep=8).chips == 8 * 4 * 2 * 16, "experts use the same chips again"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tp": 0}, "strategy.tp: expected a whole number of at least 1, got 0"),
        ({"pp": 1.5}, "strategy.pp"),
        ({"dp": True}, "strategy.dp"),
        ({"micro_batch_size": -1}, "strategy.micro_batch_size"),
        ({"zero": 4}, "strategy.zero: expected 0, 1, 2 or 3, got 4"),
        ({"zero_group": -8}, "strategy.zero_group"),
        ({"recompute": "some"}, "expected one of none, selective, full"),
        ({"schedule": "2f2b"}, "strategy.schedule"),
        ({"recompute_layers": 1.01}, "strategy.recompute_layers"),
        ({"recompute_layers": float("nan")}, "strategy.recompute_layers"),
        ({"recompute_layers": "half"}, "strategy.recompute_layers"),
        ({"overlap_dp": 3}, "strategy.overlap_dp"),
        ({"zero": True}, "strategy.zero"),
    ],
)
def test_what_is_out_of_range(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        Strategy(**fields)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("tp", "8", 8),
        ("zero", 3, 3),
        ("recompute", " Full ", "full"),
        ("recompute_layers", "0.5", 0.5),
        ("overlap_tp", "yes", True),
        ("overlap_tp", False, False),
    ],
)
def test_read_field(name: str, text: object, value: object) -> None:
    assert read_field(name, text) == value


def test_an_unknown_field_is_answered_with_the_nearest() -> None:
    with pytest.raises(FormatError, match="did you mean micro_batch_size"):
        read_field("microbatch_size", "2")


@pytest.mark.parametrize(("name", "text"), [("tp", "eight"), ("tp", True), ("tp", "2.5"), ("overlap_dp", "maybe")])
def test_what_a_field_refuses(name: str, text: object) -> None:
    with pytest.raises(FormatError, match=f"strategy.{name}: expected"):
        read_field(name, text)


def test_a_strategy_reads_back_what_it_writes() -> None:
    s = Strategy(tp=4, pp=2, schedule="zero-bubble", recompute="full", recompute_layers=0.25, overlap_ep=True)
    assert read_strategy(s.as_dict()) == s


def test_what_is_not_given_is_the_same_at_every_door() -> None:
    assert complete_layout({}, 1) == read_strategy({}) == Strategy()
    assert complete_layout(read_layout("tp=8,pp=4"), 64) == read_strategy({"tp": 8, "pp": 4, "dp": 2})
    assert read_strategy({"tp": "8", "pp": "4", "dp": "2"}) == Strategy(tp=8, pp=4, dp=2)
