"""What the hosts of a cluster are asked before anything runs there, and refused for."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tianji.backends.machine import available_memory, memory_of_ranks
from tianji.backends.options import RunOptions
from tianji.backends.ray_cluster.placement import Seat
from tianji.errors import RunError
from tianji.parallel.plan import Plan
from tianji.units import Bytes, show

ASK = 120.0
"""Seconds for a worker to start and say where it is."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What an actor says of its host before the run."""

    host: str
    version: str
    memory: Bytes
    """Free on the host."""
    sees_folder: bool
    """The folder of the run is on a disk that it shares with the driver."""


def look_around(host: str, mark: str) -> Whereabouts:
    """Say where this process is; ``mark`` is a file that the driver made in the folder of the run."""
    return Whereabouts(host, version("tianji"), available_memory(), Path(mark).exists())


def meet_hosts(
    ray: Any, actors: Sequence[Any], seats: Sequence[Seat], plan: Plan, options: RunOptions
) -> list[Whereabouts]:
    """Return what each actor's ``look_around`` says of its host.

    Raises RunError where one does not come up, hosts differ in version, do not see the folder of checkpoints, or lack memory.
    """
    mark = Path(options.out) / f".seen-{uuid.uuid4().hex}"
    mark.touch()
    try:
        hosts = _ask(ray, [actor.look_around.remote(str(mark)) for actor in actors], seats)
    finally:
        mark.unlink(missing_ok=True)
    _check_hosts(plan, options, hosts)
    return hosts


def _ask(ray: Any, questions: list[Any], seats: Sequence[Seat]) -> list[Whereabouts]:
    hosts: list[Whereabouts] = []
    for seat, question in zip(seats, questions, strict=True):
        try:
            hosts.append(ray.get(question, timeout=ASK))
        except ray.exceptions.RayError as error:
            raise RunError(
                f"a worker on {seat.host} does not come up ({first_line(error)}); is Tianji installed there, with the same"
                " extras: pip install '.[run,ray]'?"
            ) from None
    return hosts


def _check_hosts(plan: Plan, options: RunOptions, hosts: Sequence[Whereabouts]) -> None:
    odd = next((here for here in hosts if here.version != hosts[0].version), None)
    if odd:
        raise RunError(
            f"{odd.host} has Tianji {odd.version}, {hosts[0].host} has {hosts[0].version}; install one version on all nodes"
        )
    blind = next((here for here in hosts if not here.sees_folder), None)
    if blind and (options.checkpoint_every or options.resume_from):
        raise RunError(
            f"{blind.host} does not see {options.out}: checkpoints need a folder that all nodes share; name one with --out"
        )
    each = memory_of_ranks(plan) / len(hosts)
    for here in hosts:
        need = each * sum(other.host == here.host for other in hosts)
        if need > here.memory:
            raise RunError(
                f"{here.host} has {show(here.memory, 'bytes')} of memory free, but its ranks need about"
                f" {show(need, 'bytes')}; take a smaller model, or fewer chips on a node"
            )


def first_line(error: Exception) -> str:
    """Return the first line of what an error says."""
    return str(error).strip().splitlines()[0]
