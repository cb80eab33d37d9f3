"""The hosts of a Ray cluster under a run or an operation: an actor for each node, in a bundle that holds the node's chips."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tianji.backends.options import RunOptions
from tianji.backends.ray_cluster.agent_actor import AgentActor, AgentProcess
from tianji.backends.ray_cluster.connection import answers, connect, count_cpus
from tianji.backends.ray_cluster.host_checks import meet_hosts
from tianji.backends.ray_cluster.placement import Seat, hides_chips, reserve, seat_options
from tianji.backends.runtime.hosts import Line
from tianji.backends.runtime.messages import NodeSetup, Order, encode
from tianji.parallel.plan import Plan
from tianji.units import Seconds

CALLS = 4
"""Calls of an actor that may run at once: one waits to hear, and orders pass it by."""


@dataclass
class _Place:
    """Where one node of the pool has its chips."""

    seat: Seat
    chips: int
    actor: Any
    agent: AgentProcess | None = None
    """The last agent, until it is certain that nothing of it is left."""
    machine: str = ""
    """The host of the last agent that was opened, by the name that Ray gave it."""
    is_apart: bool = False
    """The host does not see the folder of the job."""
    is_open: bool = False
    heard: Seconds = 0.0
    gone_at: Seconds | None = None
    """When the lease of an agent ends that nobody can see any more."""


class RayHosts:
    """Holds the chips of a pool on the cluster that is at hand until it is closed; without a cluster, of a private one."""

    def __init__(
        self, plan: Plan, options: RunOptions, node: int, lease: Seconds, environment: Mapping[str, str] | None = None
    ) -> None:
        """Reserve all chips of the plan's pool in nodes of ``node``; ``options.out`` is the folder of the job.

        Raises MissingExtraError without Ray, and RunError when the chips are not to be had or a host cannot take its part.
        """
        self.folder, self.lease, self.environment = Path(options.out), lease, dict(environment or {})
        self._lines: list[Line] = []
        self._calls: dict[Any, tuple[int, str]] = {}
        """What is waited for: one call of each node's actor at most, by what it does."""
        self._stack = ExitStack()
        with ExitStack() as stack:
            chips = plan.pool.chips
            self._ray = stack.enter_context(connect(chips, count_cpus()))
            self._group, seats = stack.enter_context(reserve(self._ray, replace(plan.pool, node=node), chips))
            self._is_alone = hides_chips(self._group)
            firsts = range(0, chips, node)
            self.places = [_Place(seats[i], min(node, chips - i), None) for i in firsts]
            for place in self.places:
                self._employ(place)
            actors, hosts = [p.actor for p in self.places], [p.seat for p in self.places]
            for place, here in zip(self.places, meet_hosts(self._ray, actors, hosts, plan, options), strict=True):
                place.is_apart = not here.sees_folder
            self._stack = stack.pop_all()

    def machine(self, node: int) -> str:
        """Return where the last agent of a node was opened; the node alone counts where Ray hides the chips of others."""
        return f"{self.places[node].machine}/{node}" if self._is_alone else self.places[node].machine

    def open(self, node: int, setup: NodeSetup) -> None:
        """Start the agent of a node."""
        place = self.places[node]
        place.is_open, place.gone_at = True, None
        line = encode(replace(setup, is_apart=place.is_apart))
        self._calls[place.actor.open.remote(line, str(self._log(node)), self.environment)] = node, "open"

    def send(self, node: int, order: Order) -> None:
        """Send an order to the agent of a node."""
        self.places[node].actor.send.remote(encode(order))

    def end(self, node: int) -> None:
        """Have the agent of a node killed with its actor; whoever takes the actor's place makes sure."""
        self._ray.kill(self.places[node].actor)

    def hear(self, timeout: Seconds) -> Sequence[Line]:
        """Return the reports that came, waiting at most so long for the first."""
        self._note_leases()
        patience = 0.0 if self._lines else timeout
        if self._calls:
            done, others = self._ray.wait(list(self._calls), num_returns=1, timeout=patience)
            if done and others:
                done += self._ray.wait(others, num_returns=len(others), timeout=0.0)[0]
            for call in done:
                self._answer(call, *self._calls.pop(call))
        elif patience:
            time.sleep(patience)
        lines, self._lines = self._lines, []
        return lines

    def close(self) -> None:
        """End all agents with their actors, and give the chips back."""
        for place in self.places:
            self._ray.kill(place.actor)
        self._stack.close()
        for node in range(len(self.places)):
            if self._log(node).exists() and not self._log(node).stat().st_size:
                self._log(node).unlink()

    def agents(self) -> Mapping[int, int]:
        """Return the process, on its host, of the agent of each node that has one."""
        return {node: place.agent.pid for node, place in enumerate(self.places) if place.agent}

    def actors(self) -> Mapping[int, int]:
        """Return the process, on its host, of the actor of each node with an agent."""
        return {node: place.agent.actor for node, place in enumerate(self.places) if place.agent}

    def describe_loss(self, node: int) -> str:
        """Say how an agent was lost that nobody ended."""
        host = self.places[node].seat.host
        if not self.is_reachable(node):
            return f"nothing of Ray answers on its node {host} any more"
        return f"its agent on {host} was killed or crashed; the agent's log is {self._log(node)}"

    def is_reachable(self, node: int) -> bool:
        """Whether Ray's own process of a node's host still answers; Ray takes 15 seconds and more to call a host dead."""
        return answers(self.places[node].seat.raylet)

    def _log(self, node: int) -> Path:
        return self.folder / f"agent-{node:03d}.log"

    # --- actors -----------------------------------------------------------------------------------------------

    def _employ(self, place: _Place) -> None:
        options = seat_options(self._group, place.seat.bundle, place.chips)
        place.actor = self._ray.remote(AgentActor).options(**options, max_concurrency=CALLS).remote()

    def _answer(self, call: Any, node: int, what: str) -> None:
        place = self.places[node]
        try:
            answer = self._ray.get(call)
        except self._ray.exceptions.RayError:
            self._replace_actor(node)
            return
        if what == "clear":
            if answer:
                self._note_end(node)
            else:
                place.gone_at = place.heard + self.lease
            return
        place.heard = time.monotonic()
        if what == "open":
            place.agent, place.machine = answer, answer.ray_node
        elif answer is None:
            self._note_end(node)
            return
        else:
            self._lines += [(node, line) for line in answer]
        self._calls[place.actor.hear.remote()] = node, "hear"

    def _replace_actor(self, node: int) -> None:
        """Put another in the place of an actor that is lost, and have it end what may be left of the agent."""
        place = self.places[node]
        self._ray.kill(place.actor)
        self._employ(place)
        if place.agent:
            self._calls[place.actor.clear.remote(place.agent)] = node, "clear"
        else:
            # Nobody has told an agent to start workers whose start was not answered, and it ends with its actor.
            self._note_end(node)

    def _note_end(self, node: int) -> None:
        place = self.places[node]
        place.agent, place.gone_at = None, None
        if place.is_open:
            place.is_open = False
            self._lines.append((node, None))

    def _note_leases(self) -> None:
        now = time.monotonic()
        for node, place in enumerate(self.places):
            if place.gone_at is not None and now > place.gone_at:
                self._note_end(node)
