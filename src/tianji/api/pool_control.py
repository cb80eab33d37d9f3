"""``tianji.pool``: a pool of chips under Ray, for people without a cluster."""

from __future__ import annotations

import os
from functools import partial

from tianji.api.answer import Answer
from tianji.api.requests import File
from tianji.backends.ray_cluster.pool_control import PoolStatus, end_pool, read_status, start_pool
from tianji.backends.ray_cluster.pool_state import PoolState
from tianji.report.documents.pool_node import pool_node_document
from tianji.report.documents.pool_status import pool_status_document


def up(
    *,
    chips: int | None = None,
    cpus: int | None = None,
    host: str = "127.0.0.1",
    port: int = 6379,
    join: str = "",
    token: File = "",
    place: str = "",
) -> Answer[PoolState]:
    """Start this machine's node: the head of a new pool, or with ``join`` a node of one.

    * ``chips`` and ``cpus`` are what it offers; by default all that the machine has.
    * ``host`` is its own address that others reach; the head listens there at ``port``.
    * ``join="10.0.0.1:6379"`` names the head of a pool, ``token`` its token file.
    * ``place`` says where the node stands, outermost first, like ``"pod-2.rack-07"``.

    Raises MissingExtraError without Ray, RunError where a pool is up or Ray does not
    start.
    """
    state = start_pool(chips, cpus, host, port, join, os.fspath(token), place)
    summary = f"{state.role} of the pool {state.address}: up with {state.chips:,} chips"
    return Answer(state, summary, partial(pool_node_document, state, is_up=True))


def status() -> Answer[PoolStatus]:
    """Return the nodes of the pool, and the chips that are free.

    Raises RunError where no pool is up here and RAY_ADDRESS names none.
    """
    pool = read_status()
    summary = f"pool {pool.address}: {pool.chips:,} chips, {pool.free:,} free"
    return Answer(pool, summary, partial(pool_status_document, pool))


def down() -> Answer[PoolState]:
    """End what :func:`up` started on this machine, and nothing else.

    Raises RunError when nothing was started here.
    """
    state = end_pool()
    return Answer(
        state, f"{state.role} of the pool {state.address}: down", partial(pool_node_document, state, is_up=False)
    )
