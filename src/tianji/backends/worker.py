"""One rank at work: train, and write down each step as it is done. Every engine's workers end up here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from tianji.backends.journal import Journal
from tianji.backends.options import RunOptions
from tianji.backends.trainer.loop import Step, train
from tianji.parallel.plan import Plan


def work(
    plan: Plan, rank: int, world: int, rendezvous: str, options: RunOptions, *, local_rank: int, local_size: int,
    on_step: Callable[[Step], None] | None = None,
) -> None:  # fmt: skip
    """Train on one rank and keep its journal under ``options.out``; ``on_step`` hears of each step that is written down."""
    journal = Journal(Path(options.out), rank)

    def note(step: Step) -> None:
        journal.write("step", at=time.time(), **asdict(step))
        if on_step:
            on_step(step)

    facts = train(plan, rank, world, rendezvous, options, local_rank=local_rank, local_size=local_size, on_step=note)
    journal.write("done", **facts)
