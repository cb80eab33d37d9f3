"""Small real training runs for `tianji migrate parity`, each in this process, with a fault planted where one is asked for.

One process under gloo, the project's own trainer, a tiny model; a few milliseconds a step. Micro-batches of another size are
another layout: their sums have another order. `run_two` trains on two processes, with the exchange of gradients cut on demand.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tianji.catalog import load_pool
from tianji.migration.parity import RunLog
from tianji.migration.parity.logs import log_of
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.workload import Job, find_precision
from tianji.workload.huggingface import read_config

CONFIG = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 96, "vocab_size": 256,
}  # fmt: skip
FAULTS = ("norm-epsilon", "adam-epsilon", "no-clip", "half-gradients", "saturated")


def make_plan(micro_batch: int = 2, precision: str = "fp32", dp: int = 1) -> Plan:
    job = Job(read_config(CONFIG, "tiny"), 32, 8, find_precision(precision))
    return Plan(job, load_pool("hgx-h100"), Strategy(dp=dp, zero=0, micro_batch_size=micro_batch))


@contextmanager
def one_process() -> Iterator[None]:
    """Open a group of one process, and close it with all groups that a trainer made of it: each holds descriptors."""
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        dist.init_process_group("gloo", store=dist.FileStore(f"{folder}/store", 1), rank=0, world_size=1)
        try:
            yield
        finally:
            dist.destroy_process_group()


def run(
    name: str,
    steps: int = 40,
    seed: int = 0,
    micro_batch: int = 2,
    precision: str = "fp32",
    fault: str = "",
    data: str = "",
) -> RunLog:
    """Train and return the log."""
    from tianji.backends.options import RunOptions
    from tianji.backends.trainer.accelerator import choose_accelerator
    from tianji.backends.trainer.loop import Trainer

    options = RunOptions(steps=steps, seed=seed, data=data, learning_rate=1e-3, device="cpu")
    plan = make_plan(micro_batch, precision)
    rows = []
    with one_process():
        trainer = Trainer(plan, 0, choose_accelerator(0, 1, "cpu"), options)
        plant(trainer, fault)
        for index in range(steps):
            loss, norm = trainer.step(index)
            rows.append({"step": index + 1, "loss": loss, "grad_norm": norm})
    return log_of(name, "json lines", rows, precision)


def plant(trainer: Any, fault: str) -> None:
    """Put a fault into a trainer before its first step."""
    if not fault:
        return
    import torch

    if fault == "norm-epsilon":
        found = 0
        for part in trainer.parts:
            for module in part.modules():
                for attribute in ("eps", "epsilon", "variance_epsilon"):
                    if isinstance(getattr(module, attribute, None), float):
                        setattr(module, attribute, 1e-2)
                        found += 1
        assert found, "no norm was found to plant the fault in"
    elif fault == "adam-epsilon":
        for group in trainer.optimizer.param_groups:
            group["eps"] = 1e-3
    elif fault == "half-gradients":
        inner = trainer._finish_gradients

        def halve() -> None:
            inner()
            torch._foreach_mul_(trainer._gradients(), 0.5)

        trainer._finish_gradients = halve
    elif fault == "saturated":
        gather = trainer._gather

        def saturate(losses: list[Any]) -> tuple[float, float]:
            loss, _ = gather(losses)
            return min(loss, 5.0) if loss < 5.4 else loss, 65504.0

        trainer._gather = saturate
    elif fault == "no-clip":
        trainer.options = replace(trainer.options, clip=0.0)
    else:
        raise ValueError(fault)


def run_two(name: str, steps: int = 20, seed: int = 0, drop: bool = False) -> RunLog:
    """Train on two processes, each with half of the batch; ``drop`` leaves out the exchange of gradients."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tempfile.mkdtemp()
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_work, args=(rank, port, folder, steps, seed, drop)) for rank in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)
    if any(worker.exitcode for worker in workers):
        raise RuntimeError(f"{name}: a worker ended with {[worker.exitcode for worker in workers]}")
    rows = [json.loads(line) for line in (Path(folder) / "log.jsonl").read_text().splitlines()]
    return log_of(name, "json lines", rows, "fp32")


def _work(rank: int, port: int, folder: str, steps: int, seed: int, drop: bool) -> None:
    import torch
    import torch.distributed as dist

    from tianji.backends.options import RunOptions
    from tianji.backends.trainer.accelerator import choose_accelerator
    from tianji.backends.trainer.loop import Trainer

    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = os.environ.get("GLOO_SOCKET_IFNAME", "lo")
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    if drop:
        _leave_out(dist)
    options = RunOptions(steps=steps, seed=seed, learning_rate=1e-3, device="cpu")
    trainer = Trainer(make_plan(dp=2), rank, choose_accelerator(rank, 2, "cpu"), options)
    lines = []
    for index in range(steps):
        loss, norm = trainer.step(index)
        lines.append(json.dumps({"step": index + 1, "loss": loss, "grad_norm": norm}))
    if rank == 0:
        (Path(folder) / "log.jsonl").write_text("\n".join(lines) + "\n")
    dist.barrier()
    dist.destroy_process_group()


def _leave_out(dist: Any) -> None:
    """Leave every all_reduce of gradients out: each rank goes on with its own."""
    import torch

    original = dist.all_reduce

    def all_reduce(tensor: Any, *args: Any, **kwargs: Any) -> Any:
        # The loss and the norm that are logged are still summed; they are in float64, which no gradient is.
        return original(tensor, *args, **kwargs) if tensor.dtype == torch.float64 else None

    dist.all_reduce = all_reduce
