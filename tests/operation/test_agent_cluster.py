"""Real agents: one that nobody answers ends its workers by itself, and works again when it is heard."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tianji.operation.agent_cluster import AgentCluster
from tianji.operation.local_hosts import LocalHosts
from tianji.operation.protocols import Attempt, NodeReport

from .test_kills import QUICK, is_alive, plan

pytestmark = pytest.mark.slow


class CutHosts(LocalHosts):
    """Agents under a lease; while they are cut off, orders wait instead of reaching them."""

    lease = 5.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.is_cut, self.late = False, list[bytes]()

    def tell(self, node: int, order: bytes) -> None:
        if self.is_cut:
            self.late.append(order)
        else:
            super().tell(node, order)


def hear_until(cluster: AgentCluster, seconds: float, condition: Callable[[NodeReport], bool]) -> NodeReport:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        cluster.listen(0.2)
        for report in cluster.poll():
            if condition(report):
                return report
    raise AssertionError("waited in vain")


def is_busy(report: NodeReport) -> bool:
    return any(chip.busy() for chip in report.chips)


def test_workers_end_with_the_lease_and_start_again_when_it_is_renewed(tmp_path: Path) -> None:
    hosts = CutHosts(tmp_path)
    cluster = AgentCluster(hosts, 1, 1, tmp_path, replace(QUICK, steps=10**6), silence=60.0)
    try:
        hear_until(cluster, 100, lambda report: bool(report.chips))
        attempt = Attempt(1, plan(1, 1), (0,), None, 0)
        cluster.start(attempt)
        hear_until(cluster, 100, is_busy)
        worker, agent = cluster.pids()[0], hosts.agents()[0]
        for _ in range(8):  # longer than the lease, which is renewed all the time
            hear_until(cluster, 30, is_busy)
        assert is_alive(worker)
        hosts.is_cut = True
        deadline = time.monotonic() + hosts.lease
        ended = hear_until(cluster, hosts.lease + 10, lambda report: not is_busy(report))
        assert not is_alive(worker)
        assert ended.chips[0].worker is not None
        assert ended.chips[0].worker.code == -signal.SIGKILL
        assert time.monotonic() < deadline + 10
        os.kill(agent, 0)
        hosts.is_cut = False
        hear_until(cluster, 30, lambda report: bool(report.chips))
        cluster.start(replace(attempt, number=2))
        hear_until(cluster, 30, is_busy)
    finally:
        cluster.close()
    assert not any(map(is_alive, (agent, *cluster.pids().values())))


def test_an_order_to_start_that_comes_after_the_lease_starts_nothing(tmp_path: Path) -> None:
    hosts = CutHosts(tmp_path)
    cluster = AgentCluster(hosts, 1, 1, tmp_path, replace(QUICK, steps=10**6), silence=60.0)
    try:
        hear_until(cluster, 100, lambda report: bool(report.chips))
        cluster.start(Attempt(1, plan(1, 1), (0,), None, 0))  # the store is asked for; the start follows its answer
        hosts.is_cut = True
        deadline = time.monotonic() + hosts.lease
        while time.monotonic() < deadline:
            cluster.listen(0.2)
        start = next(order for order in hosts.late if b'"start"' in order)
        hosts.is_cut = False
        hosts.tell(0, start)
        with pytest.raises(AssertionError, match="in vain"):
            hear_until(cluster, 3, is_busy)
        hear_until(cluster, 10, lambda report: bool(report.chips))  # which renews the lease
        hosts.tell(0, start)
        hear_until(cluster, 10, is_busy)
    finally:
        cluster.close()
