"""Chips of a node together, neighbours in a row: worked out without a cluster."""

from typing import Any

import pytest

from samples import pool
from tianji.backends.ray_cluster.placement import (
    MOST_WAITS,
    PLACE,
    check_room,
    deal_nodes,
    find_twins,
    find_unit,
    order_nodes,
    wait_for_chips,
)
from tianji.errors import RunError


def node(host: str, place: str = "", alive: bool = True, **resources: float) -> dict[str, Any]:
    return {
        "NodeManagerAddress": host,
        "Alive": alive,
        "Resources": resources,
        "Labels": {PLACE: place} if place else {},
    }


def test_consecutive_ranks_share_a_node_and_the_last_may_be_filled_in_part() -> None:
    assert deal_nodes(pool(64), 24) == [8, 8, 8]
    assert deal_nodes(pool(64), 12) == [8, 4]
    assert deal_nodes(pool(64), 2) == [2]


def test_chips_count_before_what_ray_finds_itself_and_dead_nodes_do_not() -> None:
    nodes = [node("a", chip=4, GPU=8), node("b", chip=2), node("c", alive=False, chip=16)]
    assert find_unit(nodes) == ("chip", [4, 2])
    assert find_unit([node("a", NPU=8)]) == ("NPU", [8])
    with pytest.raises(RunError, match="offers chips"):
        find_unit([node("a", CPU=8)])


def test_accelerators_are_asked_for_where_each_chip_is_one() -> None:
    assert find_twins("chip", [node("a", chip=4, GPU=4), node("b", chip=2, GPU=8), node("c", CPU=8)]) == ["GPU"]
    assert find_twins("chip", [node("a", chip=4, GPU=1)]) == []
    assert find_twins("chip", [node("a", chip=8, NPU=8), node("b", chip=8)]) == []
    assert find_twins("GPU", [node("a", GPU=8)]) == []


@pytest.mark.parametrize(
    ("wanted", "offered"), [([4, 4], [8]), ([4, 2], [4, 2]), ([2, 2, 2], [5, 2]), ([8], [16]), ([4, 2], [6])]
)
def test_there_is_room(wanted: list[int], offered: list[int]) -> None:
    check_room(wanted, offered)


@pytest.mark.parametrize(("wanted", "offered"), [([4], [2, 2]), ([2, 2], [3]), ([8, 8], [8]), ([4, 2], [4, 1])])
def test_a_node_is_never_split_over_hosts(wanted: list[int], offered: list[int]) -> None:
    with pytest.raises(RunError, match=r"each on one host.* offer"):
        check_room(wanted, offered)


def test_neighbours_come_in_a_row_by_place_then_by_address() -> None:
    found = {
        0: node("10.0.0.10", "pod-1.rack-2"),
        1: node("10.0.0.9", "pod-1.rack-10"),
        2: node("10.0.0.8", "pod-1.rack-2"),
        3: node("10.0.0.1", "pod-0.rack-1"),
        4: node("10.0.0.7", "pod-0.rack-1"),
    }
    assert order_nodes(found, [8, 8, 8, 4, 8]) == [4, 2, 0, 1, 3]


class SlowRay:
    """A cluster that places a group after some waits, and the chips on it that nobody holds."""

    def __init__(self, waits: int, free: int) -> None:
        self.waits, self.free, self.waited = waits, free, 0

    def wait(self, seconds: float) -> bool:
        self.waited += 1
        return self.waited > self.waits

    def available_resources(self) -> dict[str, float]:
        return {"chip": self.free}


@pytest.mark.parametrize(
    ("waits", "free", "waited", "reason"),
    [(0, 0, 1, ""), (3, 8, 4, ""), (3, 6, 1, "others use them"), (99, 8, MOST_WAITS, "too busy")],
)
def test_a_busy_machine_is_waited_for_and_chips_that_others_hold_are_not(
    waits: int, free: int, waited: int, reason: str
) -> None:
    ray = SlowRay(waits, free)
    if reason:
        with pytest.raises(RunError, match=reason):
            wait_for_chips(ray, ray, "chip", [4, 4])
    else:
        wait_for_chips(ray, ray, "chip", [4, 4])
    assert ray.waited == waited
