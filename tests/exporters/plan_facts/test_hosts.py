"""Hosts and ranks: every chip of every node is one rank, and every place of the strategy is one rank."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tianji
from legal_plans import plans
from tianji.exporters.contract import Limits
from tianji.exporters.plan_facts.hosts import count_hosts, largest_divisor, rank_order, rank_table, segment_nodes
from tianji.parallel.plan import Plan

POOLS = ("hgx-h100", "gb200-nvl72", "atlas-950-superpod", "atlas-900-a3-dies")


@settings(max_examples=60)
@given(plan=plans(POOLS))
def test_each_rank_has_a_chip_and_a_place_of_its_own(plan: Plan) -> None:
    limits = Limits("any")
    head, *rows = (line.split("\t") for line in rank_table(plan, limits).splitlines())
    columns = {name: [int(row[i]) for row in rows] for i, name in enumerate(head)}
    hosts, chips = count_hosts(plan, limits), plan.strategy.chips
    assert columns["rank"] == list(range(chips))
    if not limits.refusals:
        assert hosts.nodes * hosts.per_node == chips
    assert len(set(zip(columns["node"], columns["chip"], strict=True))) == chips
    places = list(zip(*(columns[axis] for axis in rank_order(plan)), strict=True))
    assert len(set(places)) == chips
    inner = rank_order(plan)[0]
    size = getattr(plan.strategy, inner)
    assert columns[inner] == [rank % size for rank in range(chips)]
    assert set(columns["expert rank"]) == set(range(plan.strategy.ep))


@settings(max_examples=60)
@given(plan=plans(POOLS))
def test_a_segment_is_a_whole_share_of_the_nodes(plan: Plan) -> None:
    nodes = max(-(-plan.strategy.chips // plan.pool.node), 1)
    assert nodes % segment_nodes(plan) == 0


@given(value=st.integers(1, 10**4), most=st.integers(-5, 10**4))
def test_the_largest_divisor_divides_and_none_between_does(value: int, most: int) -> None:
    divisor = largest_divisor(value, most)
    assert value % divisor == 0
    assert divisor <= max(most, 1)
    assert not any(value % n == 0 for n in range(divisor + 1, min(value, most) + 1))


@pytest.mark.parametrize(("chips", "refused"), [(4, False), (8, False), (12, True), (16, False)])
def test_a_half_filled_node_is_refused(chips: int, refused: bool) -> None:
    limits = Limits("any")
    job = tianji.make_job("llama-3.1-8b", global_batch_size=chips, seq_len=2048)
    count_hosts(Plan(job, tianji.load_pool("hgx-h100", 16), tianji.Strategy(dp=chips)), limits)
    assert bool(limits.refusals) is refused
