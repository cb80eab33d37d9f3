"""One rank of a measurement: all probes in one order on all ranks, each written down as it is done."""

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
from tianji.backends.trainer.accelerator import choose_accelerator, count_cores
from tianji.backends.trainer.loop import open_store

PATIENCE = timedelta(seconds=120)


def measure_rank(orders: Orders, index: int, rendezvous: str) -> None:
    """Do the work of rank ``orders.first + index``; the journal of rank 0 holds what was measured."""
    rank = orders.first + index
    accelerator = choose_accelerator(index, orders.count, orders.device)
    reserve = accelerator.memory_peak()
    dist.init_process_group(
        accelerator.collectives, store=open_store(rendezvous), rank=rank, world_size=orders.world, timeout=PATIENCE
    )
    journal, stopwatch = Journal(Path(orders.out), rank), Stopwatch(accelerator, orders.rounds, orders.seconds)
    memory = torch.cuda.get_device_properties(index).total_memory if accelerator.kind == "cuda" else 0.0
    probes: Iterator[Probe] = chain(
        chip_probes(accelerator), link_probes(accelerator), axis_probes(accelerator, orders.out)
    )
    for probe, facts, work in probes:
        seconds = stopwatch.time(work)
        if rank == 0:
            journal.write("sample", probe=probe, facts=facts, seconds=seconds)
    cores = count_cores() if accelerator.kind == "cpu" else orders.count
    journal.write(
        "done",
        chip=accelerator.title,
        processors=min(cores, orders.count) * orders.world / orders.count,
        threads=torch.get_num_threads(),
        memory=memory or available_memory() / orders.count,
        reserve=reserve,
        versions={"torch": torch.__version__},
    )
    dist.barrier()
