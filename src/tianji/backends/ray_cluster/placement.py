"""Where the ranks of a plan go on a Ray cluster: the chips of a node together, neighbouring nodes in a row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tianji.errors import RunError
from tianji.hardware import Pool

UNITS = ("chip", "GPU", "NPU")
"""Resources that count chips, the first that a cluster offers; Ray finds the last two itself."""
PLACE = "tianji-place"
"""Label of a Ray node: where it stands in the outer tiers, outermost first, like ``pod-2.rack-07``."""
PATIENCE = 60.0
"""Seconds to wait for chips that others hold."""
MOST_WAITS = 5
"""Times that it is waited for chips that nobody holds: on a busy machine Ray takes minutes to give them out."""


@dataclass(frozen=True, slots=True)
class Seat:
    """The place of one rank: a bundle of the placement group (all of it on one Ray node), and its number there."""

    bundle: int
    host: str
    raylet: str
    """Where Ray's own process of that host listens."""
    local_rank: int
    local_size: int


def deal_nodes(pool: Pool, chips: int) -> list[int]:
    """Return the numbers of consecutive ranks that share a node; the last node may be filled in part.

    Ranks are numbered as :mod:`tianji.parallel.mesh` says: consecutive ranks fill a node, then a rack, then a pod.
    """
    full, rest = divmod(chips, pool.node)
    return [pool.node] * full + ([rest] if rest else [])


def find_unit(nodes: Sequence[Mapping[str, Any]]) -> tuple[str, list[int]]:
    """Return the resource that counts chips on a cluster, and how many each living node has, the most first.

    Raises RunError when no node offers one.
    """
    for unit in UNITS:
        counts = [int(node["Resources"].get(unit, 0)) for node in nodes if node["Alive"]]
        if any(counts):
            return unit, sorted((count for count in counts if count), reverse=True)
    raise RunError(
        "no node of the Ray cluster offers chips; start nodes with `tianji pool up --chips N`, or give Ray's own nodes"
        " the resource: ray start --resources '{\"chip\": 8}'"
    )


def find_twins(unit: str, nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return Ray's own resources that stand for the same chips: asked for too, they have Ray show each worker one accelerator."""
    offering = [node["Resources"] for node in nodes if node["Resources"].get("chip")]
    if unit != "chip":
        return []
    return [name for name in UNITS[1:] if all(resources.get(name, 0) >= resources["chip"] for resources in offering)]


def check_room(wanted: Sequence[int], offered: Sequence[int]) -> None:
    """Raise RunError unless nodes with that many chips hold the nodes of a plan, each of these whole on one of them."""
    left = sorted(offered)
    for size in sorted(wanted, reverse=True):
        place = next((i for i, count in enumerate(left) if count >= size), None)
        if place is None:
            break
        left = sorted([*left[:place], *left[place + 1 :], left[place] - size])
    else:
        return
    asked, have = (" + ".join(str(count) for count in counts) for counts in (wanted, offered))
    raise RunError(
        f"the plan wants nodes of {asked} chips, each on one host, but the hosts of the Ray cluster offer {have}; plan on a"
        " pool whose nodes are like these, or start more with `tianji pool up`"
    )


@contextmanager
def reserve(ray: Any, pool: Pool, chips: int) -> Iterator[tuple[Any, list[Seat]]]:
    """Yield a placement group with one bundle for each node of a plan, and the seat of each rank.

    A bundle never spans hosts, and the group is had whole or not at all, so that two runs cannot hold half of the cluster
    each and wait for the other. Raises RunError when the chips are not there, or are others'.
    """
    nodes = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
    unit, offered = find_unit(list(nodes.values()))
    sizes = deal_nodes(pool, chips)
    check_room(sizes, offered)
    bundles = [dict.fromkeys([unit, *find_twins(unit, list(nodes.values()))], float(size)) for size in sizes]
    group = ray.util.placement_group(bundles, strategy="SPREAD")
    try:
        wait_for_chips(ray, group, unit, sizes)
        table = ray.util.placement_group_table(group)["bundles_to_node_id"]
        order = order_nodes({bundle: nodes[node] for bundle, node in table.items()}, sizes)
        yield group, _seats(order, sizes, table, nodes)
    finally:
        ray.util.remove_placement_group(group)


def wait_for_chips(ray: Any, group: Any, unit: str, sizes: Sequence[int]) -> None:
    """Return when Ray has placed a group with nodes of ``sizes`` chips, counted by the resource ``unit``.

    Raises RunError when others hold the chips, or Ray gives none out.
    """
    for _ in range(MOST_WAITS):
        if group.wait(PATIENCE):
            return
        if ray.available_resources().get(unit, 0) < sum(sizes):
            raise RunError(
                f"{sum(sizes)} chips in nodes of {max(sizes)} are not free on the Ray cluster after {PATIENCE:.0f} s; others"
                " use them (`tianji pool status`): wait, or plan for fewer"
            )
    raise RunError(
        f"Ray gives out no {sum(sizes)} chips in nodes of {max(sizes)} after {PATIENCE * MOST_WAITS:.0f} s, though as many are"
        " free: others hold a part of each node, or its hosts are too busy (`tianji pool status`)"
    )


def seat_options(group: Any, bundle: int, chips: int) -> dict[str, Any]:
    """Return the options of an actor that takes so many chips of a bundle; Ray starts none again by itself."""
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    names = group.bundle_specs[bundle]
    return {
        "num_cpus": 0,
        "num_gpus": chips if "GPU" in names else 0,
        "resources": {name: chips for name in names if name != "GPU"},
        "max_restarts": 0,
        "scheduling_strategy": PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=bundle),
    }


def hides_chips(group: Any) -> bool:
    """Return whether Ray shows each actor only the accelerators that it was given."""
    return any(name in bundle for bundle in group.bundle_specs for name in UNITS[1:])


def order_nodes(nodes: Mapping[int, Mapping[str, Any]], sizes: Sequence[int]) -> list[int]:
    """Return the bundles in the order of the ranks: by place, then by address; a node that is filled in part stays last."""
    return sorted(nodes, key=lambda b: (-sizes[b], _natural((nodes[b].get("Labels") or {}).get(PLACE, "")),
                                        _natural(nodes[b]["NodeManagerAddress"])))  # fmt: skip


def _natural(text: str) -> list[tuple[int, str]]:
    """Return a key that sorts numbers in a text as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text) if part]


def _seats(
    order: Sequence[int], sizes: Sequence[int], table: Mapping[int, str], nodes: Mapping[str, Mapping[str, Any]]
) -> list[Seat]:
    """Return the seats by rank; bundles that share a host share its cores too."""
    crowd: dict[str, int] = {}
    for bundle, node in table.items():
        crowd[node] = crowd.get(node, 0) + sizes[bundle]
    raylets = {name: f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}" for name, node in nodes.items()}
    taken: dict[str, int] = {}
    seats: list[Seat] = []
    for bundle in order:
        node = table[bundle]
        for _ in range(sizes[bundle]):
            place = taken.get(node, 0)
            seats.append(Seat(bundle, nodes[node]["NodeManagerAddress"], raylets[node], place, crowd[node]))
            taken[node] = place + 1
    return seats
