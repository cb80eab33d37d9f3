"""The Ray engine: one actor for each chip, placed as the pool's tiers say, under a supervisor of our own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tianji.backends.local import finish_run, prepare_run
from tianji.backends.machine import check_extra, check_machine, memory_of_ranks
from tianji.backends.options import RunOptions
from tianji.backends.ray_cluster.connection import answers, check_ray, connect, count_cpus
from tianji.backends.ray_cluster.placement import UNITS, Seat, reserve
from tianji.backends.ray_cluster.pool_state import has_cluster
from tianji.backends.ray_cluster.rank_actor import RankActor, Whereabouts
from tianji.backends.support import check_support
from tianji.errors import RunError
from tianji.parallel.plan import Plan
from tianji.result import Result
from tianji.units import show

GRACE = 1.5
"""Seconds after a first failure in which others are heard too: the peers of a dead rank often speak before its death is known."""
ASK = 120.0
"""Seconds for a worker to start and say where it is."""


class RayEngine:
    """Trains on the cluster that :func:`connect` finds; without one, on a private cluster of this machine."""

    name = "ray"

    def check(self, plan: Plan, options: RunOptions) -> None:
        """Raise InputError unless the plan can be trained; whether the cluster has the chips is seen when it is asked."""
        check_support(plan)
        check_extra()
        check_ray()
        if not has_cluster():
            check_machine(plan, options)

    def run(self, plan: Plan, options: RunOptions) -> Result:
        """Run a plan and return the measured result, which is written to ``options.out`` too.

        Raises what :meth:`check` raises, and RunError when the cluster lacks the chips or an actor fails or dies.
        """
        self.check(plan, options)
        options = prepare_run(plan, options)
        chips = plan.strategy.chips
        with (
            connect(chips, count_cpus()) as ray,
            reserve(ray, plan.pool, chips) as (group, seats),
            _actors(ray, group, seats) as actors,
        ):
            _train(ray, actors, seats, plan, options, alone=_hides_chips(group))
        return finish_run(plan, options, self.name)


def _hides_chips(group: Any) -> bool:
    """Return whether Ray shows each worker only the accelerator that it was given."""
    return any(name in bundle for bundle in group.bundle_specs for name in UNITS[1:])


@contextmanager
def _actors(ray: Any, group: Any, seats: Sequence[Seat]) -> Iterator[list[Any]]:
    """Yield one actor for each rank; none outlives the block."""
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    made = []
    for rank, seat in enumerate(seats):
        names = group.bundle_specs[seat.bundle]
        made.append(
            ray.remote(RankActor)
            .options(
                num_cpus=0,
                num_gpus=1 if "GPU" in names else 0,
                resources={name: 1 for name in names if name != "GPU"},
                max_restarts=0,
                scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=seat.bundle),
            )
            .remote(rank, seat.host)
        )
    try:
        yield made
    finally:
        for actor in made:
            ray.kill(actor)


def _train(ray: Any, actors: list[Any], seats: Sequence[Seat], plan: Plan, options: RunOptions, *, alone: bool) -> None:
    folder, world = Path(options.out), len(actors)
    mark = folder / f".seen-{uuid.uuid4().hex}"
    mark.touch()
    try:
        found = _ask(ray, [actor.look_around.remote(str(mark)) for actor in actors], seats)
    finally:
        mark.unlink(missing_ok=True)
    _check_hosts(plan, options, found)
    try:
        rendezvous = ray.get(actors[0].keep_store.remote(options.port), timeout=ASK)
    except OSError as error:
        raise RunError(
            f"port {options.port} cannot be had on {seats[0].host} ({error}); leave --port out to take a free one"
        ) from None
    except ray.exceptions.RayError as error:
        raise RunError(_death(0, seats[0], error)) from None
    running = {
        actor.train.remote(
            plan, options, world, rendezvous, 0 if alone else seat.local_rank, seat.local_size, not here.sees_folder
        ): rank
        for rank, (actor, seat, here) in enumerate(zip(actors, seats, found, strict=True))
    }  # fmt: skip
    _supervise(ray, running, seats, folder)


def _ask(ray: Any, questions: list[Any], seats: Sequence[Seat]) -> list[Whereabouts]:
    found: list[Whereabouts] = []
    for rank, question in enumerate(questions):
        try:
            found.append(ray.get(question, timeout=ASK))
        except ray.exceptions.RayError as error:
            raise RunError(
                f"the worker of rank {rank} on {seats[rank].host} does not come up ({_first_line(error)}); is Tianji"
                " installed there, with the same extras: pip install 'tianji[run,ray]'?"
            ) from None
    return found


def _check_hosts(plan: Plan, options: RunOptions, found: Sequence[Whereabouts]) -> None:
    """Raise RunError where hosts differ in version, do not see the checkpoints' folder, or lack memory for their ranks."""
    odd = next((here for here in found if here.version != found[0].version), None)
    if odd:
        raise RunError(
            f"{odd.host} has Tianji {odd.version}, {found[0].host} has {found[0].version}; install one version on all nodes"
        )
    blind = next((here for here in found if not here.sees_folder), None)
    if blind and (options.checkpoint_every or options.resume_from):
        raise RunError(
            f"{blind.host} does not see {options.out}: checkpoints need a folder that all nodes share; name one with --out"
        )
    each = memory_of_ranks(plan) / len(found)
    for here in found:
        need = each * sum(other.host == here.host for other in found)
        if need > here.memory:
            raise RunError(
                f"{here.host} has {show(here.memory, 'bytes')} of memory free, but its ranks need about"
                f" {show(need, 'bytes')}; take a smaller model, or fewer chips on a node"
            )


def _supervise(ray: Any, running: dict[Any, int], seats: Sequence[Seat], folder: Path) -> None:
    """Wait for all ranks; after a first failure a moment for the others, then raise RunError with the likeliest cause."""
    lost: list[str] = []
    failed: list[str] = []
    while running:
        done, _ = ray.wait(list(running), num_returns=1, timeout=GRACE if lost or failed else None)
        if not done or lost:
            break
        rank = running.pop(done[0])
        log = folder / f"rank-{rank:05d}.log"
        try:
            message, written = ray.get(done[0])
        except ray.exceptions.RayError as error:
            lost.append(f"{_death(rank, seats[rank], error)}; its log is {log}")
            continue
        for name, data in written.items():
            (folder / name).write_bytes(data)
        if message:
            failed.append(f"rank {rank} failed: {message}; its log is {log}")
    if failed and not lost:
        # Ray takes 15 seconds and more to call a host dead; its peers' broken connections come first.
        lost = [_lost_with_node(rank, seats[rank]) for rank in running.values() if not answers(seats[rank].raylet)][:1]
    if lost or failed:
        raise RunError((lost or failed)[0])


def _lost_with_node(rank: int, seat: Seat) -> str:
    return f"rank {rank} was lost with its node {seat.host}: nothing of Ray answers there any more"


def _death(rank: int, seat: Seat, error: Exception) -> str:
    said = str(error)
    if "its node has died" in said:
        return _lost_with_node(rank, seat)
    if "worker process has died" in said:
        return f"rank {rank} was lost: its worker on {seat.host} was killed or crashed"
    return f"rank {rank} was lost on {seat.host}: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
