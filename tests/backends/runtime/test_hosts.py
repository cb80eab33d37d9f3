"""Seats of ranks: whatever chips an attempt has, each rank has a chip of its own and knows its machine's others."""

from hypothesis import given
from hypothesis import strategies as st

from tianji.backends.runtime.hosts import seat_ranks

from .scripted import ScriptedHosts


@st.composite
def pools(draw: st.DrawFn) -> tuple[ScriptedHosts, list[int], int, int]:
    """Nodes on machines (those of one machine are neighbours), and the chips of an attempt."""
    node, nodes = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    machines = sorted(draw(st.lists(st.sampled_from("abc"), min_size=nodes, max_size=nodes)))
    chips = draw(st.sets(st.integers(0, node * nodes - 1), min_size=1))
    return ScriptedHosts(*machines), sorted(chips), node, nodes


@given(pools())
def test_ranks_are_seated_once_and_know_their_machine(pool: tuple[ScriptedHosts, list[int], int, int]) -> None:
    hosts, chips, node, nodes = pool
    seats = seat_ranks(hosts, chips, node, nodes)
    everyone = [seat for ranks in seats.values() for seat in ranks]
    assert sorted(seat.rank for seat in everyone) == list(range(len(chips)))
    assert [seat.chip for seat in sorted(everyone, key=lambda s: s.rank)] == chips
    for number, ranks in seats.items():
        assert all(seat.chip // node == number for seat in ranks)
    for machine in set(hosts.machines):
        there = [seat for number, ranks in seats.items() if hosts.machine(number) == machine for seat in ranks]
        assert all(seat.local_size == len(there) for seat in there)
        first = hosts.machines.index(machine) * node
        assert [seat.local_rank for seat in there] == [seat.chip - first for seat in there]
        assert len({seat.local_rank for seat in there}) == len(there)
