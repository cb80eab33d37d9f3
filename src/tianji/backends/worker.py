"""The task ``train``: one rank of torch trains, and writes down each step as it is done. Every engine's ranks end up here."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path

from tianji.backends.journal import END_REQUEST, Journal
from tianji.backends.payload import RunPayload
from tianji.backends.rendezvous import open_store
from tianji.backends.runtime.messages import RankSeat
from tianji.backends.runtime.tasks import OnStep
from tianji.backends.trainer.loop import TrainStep, train

__all__ = ["open_store", "perform"]


def perform(payload: str, seat: RankSeat, folder: Path, rendezvous: str, on_step: OnStep) -> None:
    """Train on one rank and keep its journal in ``folder``; ``on_step`` hears of each step that is written down."""
    run = RunPayload.parse(payload)
    journal = Journal(folder, seat.rank)

    def note(step: TrainStep) -> None:
        journal.write("step", at=time.time(), **asdict(step))
        on_step(step.index)

    facts = train(
        run.plan, seat.rank, run.world, rendezvous, replace(run.options, out=str(folder)), local_rank=seat.local_rank,
        local_size=seat.local_size, on_step=note, is_asked_to_end=(folder / END_REQUEST).exists,
    )  # fmt: skip
    journal.write("done", **facts)
