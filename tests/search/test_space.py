"""The space holds every strategy that it promises, once, and nothing illegal that it counts."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from samples import DENSE, SPARSE, flat, job, pool
from tianji.hardware import Pool
from tianji.parallel import Strategy
from tianji.parallel.legality import is_legal, refusals
from tianji.search.space import Space, chunk_counts, divisors
from tianji.workload import Job


def members(task: Job, where: Pool, fixed: dict[str, Any] | None = None, **extra: tuple[Any, ...]) -> list[Strategy]:
    space = Space(task, where, fixed or {}, extra)
    found: list[Strategy] = []
    for g in space.slices():
        counted = np.broadcast_to(is_legal(g, task, where), g.shape)
        found += [g.at(tuple(int(i) for i in place)) for place in np.argwhere(counted)]
    return found


@pytest.mark.parametrize(("task", "chips"), [(job(batch=12), 12), (job(SPARSE, batch=4), 4), (job(seq_len=384), 6)])
def test_each_strategy_stands_there_once_uses_every_chip_and_is_legal(task: Job, chips: int) -> None:
    found = members(task, pool(chips))
    assert max(Counter(found).values()) == 1
    assert {s.chips for s in found} == {chips}
    assert [s for s in found if refusals(s, task, pool(chips))] == []


def test_degrees_are_whatever_divides() -> None:
    found = members(job(batch=24), pool(24), {"recompute": "none", "zero": 1})
    assert {s.dp for s in found} == {1, 2, 3, 4, 6, 8, 12, 24}
    assert {s.pp for s in found} == {1, 2, 3, 4, 6, 8}, "eight layers; three stages are uneven"
    assert {s.tp for s in found} == {1, 2, 4, 8}, "eight heads"
    assert {s.cp for s in found} == {1, 2, 4, 8}
    assert {s.micro_batch_size for s in found} == {1, 2, 3, 4, 6, 8, 12, 24}


def test_every_switch_takes_every_value() -> None:
    found = members(job(SPARSE, batch=4), pool(8))
    assert {s.zero for s in found} == {0, 1, 2, 3}
    assert {s.recompute for s in found} == {"none", "selective", "full"}
    assert {s.schedule for s in found} == {"1f1b", "interleaved", "gpipe", "zero-bubble", "dualpipe"}
    assert {s.cp_kind for s in found} == {"ring", "ulysses"}
    assert {s.placement for s in found} == {"dp-inside", "pp-inside"}
    assert {s.offload_optimizer for s in found} == {0}
    assert {(s.ep, s.etp) for s in found} == {(e, t) for e in (1, 2, 4, 8) for t in (1, 2, 4) if e * t <= 8}


def test_sharding_groups_are_the_data_ranks_of_a_node() -> None:
    found = members(job(), pool(64), {"recompute": "none", "micro_batch_size": 1})
    groups = {(s.tp, s.zero_group) for s in found if s.zero_group and s.pp == s.cp == 1}
    assert groups == {(1, 8), (2, 4), (4, 2)}, "with tp=8 one data rank of each node is left"
    assert all(s.zero == 3 for s in found if s.zero_group)


def test_what_would_repeat_is_left_out() -> None:
    alone = members(job(), flat(1))
    assert {(s.zero, s.schedule, s.cp_kind, s.placement) for s in alone} == {(0, "1f1b", "ring", "dp-inside")}


def test_offloading_is_varied_when_it_is_asked_for() -> None:
    found = members(job(), flat(2), offload_optimizer=(False, True))
    assert Counter(s.offload_optimizer for s in found) == {0: len(found) / 2, 1: len(found) / 2}


def test_fields_are_held() -> None:
    held = {
        "tp": 2,
        "pp": 2,
        "vpp": 2,
        "schedule": "interleaved",
        "zero": 1,
        "micro_batch_size": 4,
        "recompute": "full",
    }
    found = members(job(batch=64), pool(16), held)
    assert found
    for s in found:
        assert {name: getattr(s, name) for name in held} == held
    assert members(job(), pool(16), {"dp": 5}) == []
    assert {s.zero_group for s in members(job(), pool(16), {"zero_group": 2, "zero": 3, "tp": 2})} == {2}


def test_switches_are_varied_on_demand() -> None:
    plain = members(job(batch=4), pool(4))
    varied = members(job(batch=4), pool(4), overlap_dp=(False, True), overlap_ep=(False, True))
    assert len(varied) == 4 * len(plain)


def test_a_sequence_that_tensor_ranks_do_not_divide_goes_without_sequence_parallelism() -> None:
    found = members(job(seq_len=1001), pool(8), {"tp": 8})
    assert found
    assert not any(s.sequence_parallel for s in found)


@pytest.mark.parametrize(
    ("num_layers", "pp", "expected"), [(96, 8, [2, 3, 4, 6, 12]), (8, 2, [2, 4]), (8, 8, []), (8, 4, [2])]
)
def test_chunks(num_layers: int, pp: int, expected: list[int]) -> None:
    assert chunk_counts(num_layers, pp) == expected


def test_divisors() -> None:
    assert [divisors(n) for n in (1, 7, 16)] == [[1], [1, 7], [1, 2, 4, 8, 16]]
    assert DENSE.num_layers == 8
