"""The cluster of an operation over scripted agents: orders, acknowledgements, silence and repair."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from samples import flat, job
from tianji.backends.options import RunOptions
from tianji.backends.runtime.messages import (
    ChipReport,
    NodeState,
    OpenStore,
    Refused,
    RenewLease,
    StartRanks,
    StopRanks,
    StoreOpened,
    WorkerReport,
)
from tianji.errors import MessageError, RunError
from tianji.operation import host_agents
from tianji.operation.host_agents import HostAgents
from tianji.operation.protocols import Attempt, NodeReport
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan

from ..backends.runtime.scripted import ScriptedHosts

ATTEMPT = Attempt(1, Plan(job(), flat(3), Strategy(dp=3)), (1, 2, 3), resume=7, checkpoint_every=5)
STORE = StoreOpened(1, "tcp://10.0.0.1:9/attempt-1")


class Clock:
    """The cluster's clock, which the test sets."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(host_agents, "time", clock)
    return clock


@pytest.fixture
def hosts() -> ScriptedHosts:
    """Two machines of a node each."""
    return ScriptedHosts("a", "b", lease=30.0)


@pytest.fixture
def agents(hosts: ScriptedHosts, clock: Clock, tmp_path: Path) -> HostAgents:
    return HostAgents(hosts, 4, 2, tmp_path, RunOptions(), repair=60.0, silence=10.0)


def idle(node: int, sent_at: float = 0.0) -> NodeState:
    return NodeState(sent_at, 0, tuple(ChipReport(2 * node + i, True) for i in range(2)))


def hear(agents: HostAgents, hosts: ScriptedHosts, node: int, *reports: Any) -> list[NodeReport]:
    hosts.report(node, *reports)
    agents.listen(0.0)
    return list(agents.poll())


def test_ranks_start_on_their_nodes_when_the_store_is_open(
    agents: HostAgents, hosts: ScriptedHosts, tmp_path: Path
) -> None:
    agents.start(ATTEMPT)
    assert hosts.take_orders() == [(0, OpenStore(1))]
    hear(agents, hosts, 0, STORE)
    (first, start), (second, other) = hosts.take_orders()
    assert isinstance(start, StartRanks)
    assert isinstance(other, StartRanks)
    assert (first, second) == (0, 1)
    assert [(s.chip, s.rank, s.local_rank, s.local_size) for s in start.ranks + other.ranks] == [
        (1, 0, 1, 1),
        (2, 1, 0, 2),
        (3, 2, 1, 2),
    ]
    assert (start.step, start.rendezvous) == (7, STORE.rendezvous)
    assert start.payload == (tmp_path / "attempts" / "00001" / "payload.json").read_text()


def test_what_is_ordered_again_is_sent_again(agents: HostAgents, hosts: ScriptedHosts) -> None:
    agents.start(ATTEMPT)
    agents.start(ATTEMPT)
    assert hosts.take_orders() == [(0, OpenStore(1))] * 2
    hear(agents, hosts, 0, STORE)
    orders = hosts.take_orders()
    agents.start(ATTEMPT)
    assert hosts.take_orders() == orders


def test_a_store_that_opens_after_the_stop_starts_nothing(agents: HostAgents, hosts: ScriptedHosts) -> None:
    agents.start(ATTEMPT)
    agents.stop(1)
    assert hosts.take_orders()[1:] == [(0, StopRanks(1)), (1, StopRanks(1))]
    hear(agents, hosts, 0, STORE)
    assert hosts.take_orders() == []


def test_a_state_is_acknowledged_and_passed_on_with_a_serial(agents: HostAgents, hosts: ScriptedHosts) -> None:
    worker = WorkerReport(1, 3, 0.5, None, pid=77)
    state = NodeState(12.5, 0, (ChipReport(0, True), ChipReport(1, True, worker)))
    reports = hear(agents, hosts, 0, idle(0, 11.5), state)
    assert hosts.take_orders() == [(0, RenewLease(11.5)), (0, RenewLease(12.5))]
    assert [report.serial for report in reports] == [1, 2]
    assert reports[1].by_chip[1].worker == worker
    assert agents.pids() == {1: 77}


def test_a_silent_agent_is_ended_and_comes_back_after_the_repair(
    agents: HostAgents, hosts: ScriptedHosts, clock: Clock
) -> None:
    hear(agents, hosts, 0, idle(0))
    hear(agents, hosts, 1, idle(1))
    clock.now = 9.0
    hear(agents, hosts, 1, idle(1))
    clock.now = 11.0
    agents.poll()
    assert hosts.ended == [0]
    hosts.setups.clear()
    hosts.lines.append((0, None))
    agents.listen(0.0)
    (report,) = agents.poll()
    assert report.dead
    clock.now = 70.0
    hear(agents, hosts, 1, idle(1))
    assert not hosts.setups
    clock.now = 72.0
    agents.poll()
    assert list(hosts.setups) == [0]


def test_an_agent_that_is_not_open_gets_no_orders_and_is_not_heard(
    agents: HostAgents, hosts: ScriptedHosts, clock: Clock
) -> None:
    hosts.lines.append((0, None))
    agents.listen(0.0)
    agents.poll()
    agents.start(replace(ATTEMPT, chips=(0, 1)))
    assert hosts.take_orders() == []
    assert hear(agents, hosts, 0, idle(0)) == []


def test_what_is_not_understood_is_said(agents: HostAgents, hosts: ScriptedHosts) -> None:
    assert hear(agents, hosts, 0, Refused(1, "the store could not be opened")) == []  # the start is ordered again
    hosts.report(1, Refused(0, "expected OpenStore"))
    with pytest.raises(RunError, match="the agent of node 1 does not understand us: expected OpenStore"):
        agents.listen(0.0)
    hosts.lines.append((0, b"{}"))
    with pytest.raises(MessageError, match="expected a message in JSON"):
        agents.listen(0.0)
