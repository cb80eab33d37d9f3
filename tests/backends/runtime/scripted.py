"""Hosts on which nothing runs: they keep the orders, and the reports are the test's."""

from collections.abc import Mapping, Sequence

from tianji.backends.runtime.hosts import Line
from tianji.backends.runtime.messages import NodeSetup, Order, Report, encode


class ScriptedHosts:
    """``machines`` names the machine of each node."""

    def __init__(self, *machines: str, lease: float = float("inf")) -> None:
        self.machines, self.lease = machines, lease
        self.setups: dict[int, NodeSetup] = {}
        self.orders: list[tuple[int, Order]] = []
        self.lines: list[Line] = []
        self.ended: list[int] = []
        self.lost: set[int] = set()
        self.is_closed = False

    def report(self, node: int, *reports: Report) -> None:
        """Have the agent of a node say something."""
        self.lines += [(node, encode(report)) for report in reports]

    def take_orders(self) -> list[tuple[int, Order]]:
        """Return what was sent since the last call."""
        orders, self.orders = self.orders, []
        return orders

    def machine(self, node: int) -> str:
        return self.machines[node]

    def open(self, node: int, setup: NodeSetup) -> None:
        self.setups[node] = setup

    def send(self, node: int, order: Order) -> None:
        self.orders.append((node, order))

    def hear(self, timeout: float) -> Sequence[Line]:
        lines, self.lines = self.lines, []
        return lines

    def end(self, node: int) -> None:
        self.ended.append(node)

    def close(self) -> None:
        self.is_closed = True

    def agents(self) -> Mapping[int, int]:
        return {}

    def describe_loss(self, node: int) -> str:
        return f"nothing answers on node {node}" if node in self.lost else f"the agent of node {node} was killed"

    def is_reachable(self, node: int) -> bool:
        return node not in self.lost
