"""The Ray engine: one actor for each chip, placed as the pool's tiers say, under a supervisor of our own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tianji.backends.local import finish_run, prepare_run
from tianji.backends.machine import check_extra, check_machine
from tianji.backends.options import RunOptions
from tianji.backends.ray_cluster.connection import answers, check_ray, connect, count_cpus
from tianji.backends.ray_cluster.host_checks import ASK, first_line, meet_hosts
from tianji.backends.ray_cluster.placement import Seat, hides_chips, reserve, seat_options
from tianji.backends.ray_cluster.pool_state import has_cluster
from tianji.backends.ray_cluster.rank_actor import RankActor
from tianji.backends.support import check_support
from tianji.errors import RunError
from tianji.parallel.plan import Plan
from tianji.result import Result

GRACE = 1.5
"""Seconds after a first failure in which others are heard too: the peers of a dead rank often speak before its death is known."""


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
            _train(ray, actors, seats, plan, options, alone=hides_chips(group))
        return finish_run(plan, options, self.name)


@contextmanager
def _actors(ray: Any, group: Any, seats: Sequence[Seat]) -> Iterator[list[Any]]:
    """Yield one actor for each rank; none outlives the block."""
    made = [
        ray.remote(RankActor).options(**seat_options(group, seat.bundle, 1)).remote(rank, seat.host)
        for rank, seat in enumerate(seats)
    ]
    try:
        yield made
    finally:
        for actor in made:
            ray.kill(actor)


def _train(ray: Any, actors: list[Any], seats: Sequence[Seat], plan: Plan, options: RunOptions, *, alone: bool) -> None:
    folder, world = Path(options.out), len(actors)
    found = meet_hosts(ray, actors, seats, plan, options)
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
    return f"rank {rank} was lost on {seat.host}: {first_line(error)}"
