"""The task ``train-mindspore``: one rank of MindSpore trains, and writes down each step as it is done.

MindSpore's ranks find each other through a scheduler process and variables of the environment (its dynamic cluster): the
scheduler is what an agent keeps open for them. Each rank imports MindSpore by itself, after the fork: its threads bear none.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from tianji.backends.journal import Journal
from tianji.backends.mindspore.weights import WEIGHTS
from tianji.backends.payload import RunPayload
from tianji.backends.runtime.messages import RankSeat
from tianji.backends.runtime.tasks import OnStep, Serve

PROBE = "TIANJI_PROBE"
"""Set: the logits and gradients of the first step are left in ``rank-N.npz``."""


def open_store(host: str, port: int) -> tuple[Serve, int]:
    """Return what runs MindSpore's scheduler on a port of this host (0: any), and the port.

    Raises OSError when the port is taken.
    """
    with socket.socket() as trying:
        trying.bind((host, port))
        port = int(trying.getsockname()[1])
    os.environ |= {"MS_ROLE": "MS_SCHED", "MS_SCHED_HOST": host, "MS_SCHED_PORT": str(port)}

    def serve() -> None:
        from mindspore.communication import init

        init("mccl")

    return serve, port


def perform(payload: str, seat: RankSeat, folder: Path, rendezvous: str, on_step: OnStep) -> None:
    """Train on one rank and keep its journal in ``folder``; ``on_step`` hears of each step that is written down."""
    run = RunPayload.parse(payload)
    if run.world > 1:
        place = urlsplit(rendezvous)
        os.environ |= {"MS_ROLE": "MS_WORKER", "MS_NODE_ID": str(seat.rank)}
        os.environ |= {"MS_SCHED_HOST": str(place.hostname), "MS_SCHED_PORT": str(place.port)}
    journal = Journal(folder, seat.rank)
    from tianji.backends.mindspore.loop import train

    def note(**step: float) -> None:
        journal.write("step", at=time.time(), **step)
        on_step(int(step["index"]))

    facts = train(
        run.plan, seat.rank, run.options, Path(run.options.weights or folder / WEIGHTS), on_step=note,
        probe=folder / f"rank-{seat.rank:05d}.npz" if os.environ.get(PROBE) else None,
    )  # fmt: skip
    journal.write("done", **facts)
