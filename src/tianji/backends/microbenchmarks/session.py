"""The task ``measure``: one rank does all probes, in one order on all ranks, and writes each down as it is done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from pathlib import Path

import torch
import torch.distributed as dist

from tianji.backends.journal import Journal
from tianji.backends.machine import available_memory
from tianji.backends.microbenchmarks.axes import axis_probes
from tianji.backends.microbenchmarks.chip import Probe, chip_probes
from tianji.backends.microbenchmarks.links import link_probes
from tianji.backends.microbenchmarks.orders import Orders
from tianji.backends.microbenchmarks.stopwatch import Stopwatch
from tianji.backends.rendezvous import join_store, open_store
from tianji.backends.runtime.messages import RankSeat
from tianji.backends.runtime.tasks import OnStep
from tianji.backends.trainer.accelerator import choose_accelerator, count_cores

__all__ = ["open_store", "perform"]

PATIENCE = timedelta(seconds=120)


def perform(payload: str, seat: RankSeat, folder: Path, rendezvous: str, on_step: OnStep) -> None:
    """Measure on one rank; the journal of rank 0 holds what was measured."""
    orders, rank = Orders.parse(payload), seat.rank
    accelerator = choose_accelerator(seat.local_rank, seat.local_size, orders.device)
    reserve = accelerator.memory_peak()
    store = join_store(rendezvous)
    dist.init_process_group(accelerator.collectives, store=store, rank=rank, world_size=orders.world, timeout=PATIENCE)
    journal, stopwatch = Journal(folder, rank), Stopwatch(accelerator, orders.rounds, orders.seconds)
    memory = torch.cuda.get_device_properties(seat.local_rank).total_memory if accelerator.kind == "cuda" else 0.0
    probes: Iterator[Probe] = chain(
        chip_probes(accelerator), link_probes(accelerator), axis_probes(accelerator, str(folder))
    )
    for index, (probe, facts, work) in enumerate(probes):
        seconds = stopwatch.time(work)
        if rank == 0:
            journal.write("sample", probe=probe, facts=facts, seconds=seconds)
        on_step(index)
    here = seat.local_size
    cores = count_cores() if accelerator.kind == "cpu" else here
    journal.write(
        "done",
        chip=accelerator.title,
        processors=min(cores, here) * orders.world / here,
        threads=torch.get_num_threads(),
        memory=memory or available_memory() / here,
        reserve=reserve,
        versions={"torch": torch.__version__},
    )
    dist.barrier()
