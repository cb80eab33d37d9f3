"""Which tiers a group crosses, on nodes of 8 in racks of 64, counted rank by rank."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.parallel.mesh import (
    RankGroup,
    context_group,
    data_group,
    expert_data_group,
    expert_group,
    expert_tensor_group,
    pipeline_group,
    replica_group,
    shard_group,
    tensor_group,
)

SPANS = (8, 64, 4096)


def members(group: RankGroup) -> list[float]:
    return [float(np.ravel(n)[0]) for n in group.members(SPANS)]


@pytest.mark.parametrize(
    ("fields", "find", "expected"),
    [
        ({"tp": 8, "dp": 16}, tensor_group, [8, 8, 8]),
        ({"tp": 16, "dp": 2}, tensor_group, [8, 16, 16]),
        ({"tp": 2, "cp": 16, "dp": 2}, context_group, [4, 16, 16]),
        ({"tp": 8, "dp": 16}, data_group, [1, 8, 16]),
        ({"tp": 2, "dp": 64}, data_group, [4, 32, 64]),
        ({"tp": 8, "dp": 16, "pp": 4}, pipeline_group, [1, 1, 4]),
        ({"tp": 8, "dp": 16, "pp": 4, "placement": "pp-inside"}, pipeline_group, [1, 4, 4]),
        ({"tp": 8, "dp": 16, "pp": 4, "placement": "pp-inside"}, data_group, [1, 2, 16]),
        ({"dp": 64, "ep": 32}, expert_group, [8, 32, 32]),
        ({"tp": 4, "dp": 16, "ep": 8, "etp": 4}, expert_group, [2, 8, 8]),
        ({"tp": 4, "dp": 16, "ep": 8, "etp": 4}, expert_data_group, [1, 2, 2]),
        ({"dp": 64, "etp": 4}, expert_tensor_group, [4, 4, 4]),
        ({"dp": 64, "pp": 16, "etp": 4, "placement": "pp-inside"}, expert_tensor_group, [1, 4, 4]),
        ({"dp": 64, "zero_group": 8}, shard_group, [8, 8, 8]),
        ({"dp": 64, "zero_group": 8}, replica_group, [1, 8, 8]),
    ],
)
def test_members_in_each_tier(fields: dict[str, object], find: object, expected: list[int]) -> None:
    assert callable(find)
    assert members(find(Grid.of(Strategy(**fields)))) == expected  # type: ignore[arg-type]


POWERS = st.sampled_from([1, 2, 4, 8])


@settings(max_examples=400)
@given(POWERS, POWERS, POWERS, POWERS, POWERS, POWERS, st.sampled_from(["dp-inside", "pp-inside"]))
def test_groups_are_those_of_the_numbered_ranks(
    tp: int, cp: int, dp: int, pp: int, ep: int, etp: int, placement: str
) -> None:
    """Number all ranks, list each group's chips, and count how many share the first one's node and rack."""
    assume(tp * cp * dp % (ep * etp) == 0)
    g = Grid.of(Strategy(tp=tp, cp=cp, dp=dp, pp=pp, ep=ep, etp=etp, placement=placement))
    steps = {"t": 1, "c": tp, "d": tp * cp * (pp if placement == "pp-inside" else 1)}
    steps["p"] = tp * cp * (dp if placement == "dp-inside" else 1)
    sheet = sorted(
        (d * cp * tp + c * tp + t, steps["t"] * t + steps["c"] * c + steps["d"] * d)
        for t, c, d in product(range(tp), range(cp), range(dp))
    )
    place = [chip for _, chip in sheet]
    groups = {
        tensor_group: place[:tp],
        context_group: place[: tp * cp : tp],
        data_group: [place[c * tp + d * cp * tp] for d in range(dp) for c in range(cp)],
        pipeline_group: [steps["p"] * p for p in range(pp)],
        expert_tensor_group: place[:etp],
        expert_group: place[: ep * etp : etp],
        expert_data_group: place[:: ep * etp],
    }
    for find, chips in groups.items():
        expected = [sum(chip < span for chip in chips) for span in SPANS[:-1]] + [len(chips)]
        assert members(find(g)) == expected, find.__name__
