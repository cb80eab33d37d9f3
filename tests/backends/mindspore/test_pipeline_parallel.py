"""The layers of stages are the torch trainer's; no stages wait for each other for ever; each micro-batch is worked on once."""

import pytest

from tianji.backends.mindspore.pipeline_parallel import Turn, layers_of_stage, order_turns
from tianji.parallel import Strategy

from ..samples import model_of

MEETINGS = {"pass": "take", "fetch": "return"}
"""What a stage does, and what the one after it must do at that moment."""


def left_waiting(orders: list[list[Turn]]) -> list[list[Turn]]:
    """Play all stages until none can go on; return what each still had to do."""
    rest = [list(order) for order in orders]
    moved = True
    while moved:
        moved = False
        for i, stage in enumerate(rest):
            while stage and stage[0][0] in ("forward", "backward"):
                moved = bool(stage.pop(0))
            after = rest[i + 1] if i + 1 < len(rest) else []
            if stage and after and MEETINGS.get(stage[0][0]) == after[0][0] and stage[0][1] == after[0][1]:
                moved = bool(stage.pop(0) and after.pop(0))
    return rest


@pytest.mark.parametrize("schedule", ["1f1b", "gpipe"])
@pytest.mark.parametrize("num_stages", range(1, 9))
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 20])
def test_no_stage_waits_for_ever(schedule: str, num_stages: int, count: int) -> None:
    orders = [order_turns(schedule, i, num_stages, count) for i in range(num_stages)]
    assert not any(left_waiting(orders))
    for order in orders:
        for kind in ("forward", "backward"):
            assert [i for name, i in order if name == kind] == list(range(count))


def test_the_play_catches_two_that_wait_for_each_other() -> None:
    naive: list[list[Turn]] = [
        [("pass", 0), ("pass", 1), ("fetch", 0), ("fetch", 1)],
        [("take", 0), ("return", 0), ("take", 1), ("return", 1)],
    ]
    assert any(left_waiting(naive))


def test_one_forward_one_backward_keeps_as_many_in_flight_as_stages_follow() -> None:
    for stage in range(4):
        order, flying, most = order_turns("1f1b", stage, 4, 8), 0, 0
        for kind, _ in order:
            flying += {"forward": 1, "backward": -1}.get(kind, 0)
            most = max(most, flying)
        assert most == 4 - stage


def test_layers_are_dealt_out_as_in_the_torch_trainer() -> None:
    pytest.importorskip("torch")
    from tianji.backends.trainer.pipeline_parallel import layers_of_stage as layers_in_torch

    model = model_of("llama")
    for stages in (1, 2, 3, 4):
        s = Strategy(pp=stages)
        dealt = [layers_of_stage(model, s, i) for i in range(stages)]
        assert dealt == [layers_in_torch(model, s, i) for i in range(stages)]
        assert [layer for layers in dealt for layer in layers] == list(range(model.num_layers))
