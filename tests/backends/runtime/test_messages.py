"""Messages: what is decoded is what was encoded, and what is no message is refused with what was expected."""

import json
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.backends.runtime import messages
from tianji.backends.runtime.messages import (
    ORDERS,
    REPORTS,
    NodeSetup,
    OpenStore,
    StartRanks,
    decode_order,
    decode_report,
    decode_setup,
    encode,
)
from tianji.errors import MessageError

st.register_type_strategy(float, st.floats(allow_nan=False))
ANY_ORDER = st.one_of(*map(st.from_type, ORDERS))
ANY_REPORT = st.one_of(*map(st.from_type, REPORTS))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(ANY_ORDER)
def test_an_order_decoded_is_the_order_encoded(order: Any) -> None:
    assert decode_order(encode(order)) == order


@given(ANY_REPORT)
def test_a_report_decoded_is_the_report_encoded(report: Any) -> None:
    assert decode_report(encode(report)) == report


@given(st.from_type(NodeSetup))
def test_a_setup_decoded_is_the_setup_encoded(setup: NodeSetup) -> None:
    assert decode_setup(encode(setup)) == setup


@given(ANY_ORDER | ANY_REPORT)
def test_a_message_is_one_line(message: Any) -> None:
    assert b"\n" not in encode(message)


@given(st.binary() | st.text())
def test_what_is_no_json_is_refused(line: bytes | str) -> None:
    with pytest.raises(MessageError, match="expected a message in JSON"):
        decode_order(line)


@given(ANY_ORDER, st.data())
def test_a_field_of_another_type_is_refused_or_is_of_that_type(order: Any, data: st.DataObject) -> None:
    """Whatever stands in a field: the message is refused with the field's name, or it holds just that value."""
    document = json.loads(encode(order))
    name = data.draw(st.sampled_from([key for key in document if key != "message"]))
    document[name] = data.draw(JSON)
    try:
        decoded = decode_order(json.dumps(document))
    except MessageError as error:
        assert f"{type(order).__name__}.{name}" in str(error)
    else:
        assert json.loads(encode(decoded)) == document


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"message": "Keep", "attempt": 1}', "expected OpenStore or StartRanks or StopRanks or RenewLease"),
        ('{"do": "keep", "attempt": 1}', "expected a message in JSON"),
        ('{"message": "NodeState", "sent_at": 1.0, "stopped": 0, "chips": []}', "got the message 'NodeState'"),
        ('{"message": "OpenStore", "attempt": 1}', "OpenStore: expected attempt, port, got attempt"),
        ('{"message": "OpenStore", "attempt": true, "port": 0}', "OpenStore.attempt: expected int, got 'True'"),
        ('{"message": "RenewLease", "sent_at": "now"}', "RenewLease.sent_at: expected a number, got 'now'"),
        ("[" * 100_000, "expected a message in JSON"),
    ],
)
def test_a_message_that_cannot_be_read_is_answered_with_what_was_expected(line: str, words: str) -> None:
    with pytest.raises(MessageError, match=words):
        decode_order(line)


def test_an_entry_of_a_list_is_named_by_its_place() -> None:
    document = json.loads(encode(StartRanks(1, "out", "{}", "tcp://here:1/x", -1, ())))
    document["ranks"] = [{"chip": 0, "rank": 0, "local_rank": 0, "local_size": 1}, {"chip": 1}]
    with pytest.raises(
        MessageError, match=r"StartRanks.ranks\[1\]: expected chip, rank, local_rank, local_size, got chip"
    ):
        decode_order(json.dumps(document))


def test_every_message_is_frozen_and_of_types_that_travel() -> None:
    for kind in (*ORDERS, *REPORTS, NodeSetup):
        assert is_dataclass(kind)
        assert kind.__dataclass_params__.frozen
        assert set(get_type_hints(kind)) == {field.name for field in fields(kind)}
        assert kind.__doc__ and kind.__module__ == messages.__name__


def test_an_order_and_a_report_are_not_taken_for_each_other() -> None:
    with pytest.raises(MessageError, match="expected NodeState or"):
        decode_report(encode(OpenStore(1)))
