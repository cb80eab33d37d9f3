"""Trains tiny models under many layouts, all on the same processes, and prints the losses of each as JSON.

Usage: python -m tests.backends.layouts WORLD '[["dense", {"dp": 2}], ...]'. WORLD 0 trains without the trainer: a plain loop
on a plain model, to compare with.
"""

import json
import os
import sys
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh

from tianji.backends.options import RunOptions
from tianji.backends.rendezvous import join_store
from tianji.backends.trainer import device_mesh
from tianji.backends.trainer.accelerator import choose_accelerator
from tianji.backends.trainer.context_parallel import UNCUT
from tianji.backends.trainer.device_mesh import make_mesh
from tianji.backends.trainer.loop import Trainer
from tianji.backends.trainer.tokens import Corpus
from tianji.backends.trainer.traffic import TrafficCounter
from tianji.backends.trainer.transformer import Transformer, draw_weights, loss_of

from .samples import BATCH, RATE, SEQ_LEN, STEPS, model_of, plan_of

AXES: dict[str, str] = {}
"""DTensor's caches may go on using the groups of an equal mesh of a layout before."""
MESHES: dict[tuple[Any, ...], DeviceMesh] = {}
"""Layouts share what is equal: each group of gloo has a thread that wakes a hundred times a second, and a mesh has four."""


def train_plainly(name: str) -> list[float]:
    """Plain SGD on the whole batch at once: no mesh, no micro-batches, none of the trainer's loop."""
    found = model_of(name)
    whole = range(found.num_layers)
    model = Transformer(found, whole, torch.arange(SEQ_LEN), UNCUT, embed=True, predict=True)
    draw_weights(model, seed=0)
    if found.tied_embeddings:
        model.head.weight = model.embedding.weight
    corpus, losses = Corpus(None, SEQ_LEN, found.vocab_size), []
    for step in range(STEPS):
        tokens = corpus.sequences(step, 0, BATCH, BATCH)
        loss = loss_of(model(tokens[:, :-1]), tokens[:, 1:])
        loss.backward()
        with torch.no_grad():
            for weight in model.parameters():
                weight -= RATE * weight.grad
                weight.grad = None
        losses.append(loss.item())
    return losses


def share_mesh(kind: str, ranks: torch.Tensor, shape: tuple[int, ...], names: tuple[str, ...]) -> DeviceMesh:
    key = (*ranks.flatten().tolist(), shape, names)
    if key not in MESHES:
        MESHES[key] = make_mesh(kind, ranks, shape, names)
    return MESHES[key]


def train_layout(rank: int, name: str, strategy: dict[str, Any]) -> dict[str, Any]:
    accelerator = choose_accelerator(rank, dist.get_world_size(), "cpu")
    torch.set_num_threads(1)
    options = RunOptions(optimizer="sgd", learning_rate=RATE, clip=0)
    trainer = Trainer(plan_of(name, strategy), rank, accelerator, options)
    AXES.update(trainer.meshes.axis_of_groups())
    counter = TrafficCounter(AXES)
    steps = [trainer.step(0), trainer.step(1)]
    with counter:
        steps.append(trainer.step(2))
    return {"losses": [loss for loss, _ in steps], "norms": [norm for _, norm in steps], "traffic": counter.by_axis()}


def work(rank: int, world: int, port: int, cases: list[Any]) -> None:
    store = join_store(f"tcp://127.0.0.1:{port}/layouts")
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world)
    device_mesh.make_mesh = share_mesh
    for name, strategy in cases:
        found = train_layout(rank, name, strategy)
        if rank == 0:
            print(json.dumps(found), flush=True)
    dist.barrier()


def main(world: int, cases: list[Any]) -> int:
    torch.set_num_threads(1)
    if world == 0:
        for name, _ in cases:
            print(json.dumps({"losses": train_plainly(name)}))
        return 0
    store_port, workers = os.pipe(), []
    for rank in range(world):
        pid = os.fork()
        if not pid:
            code = 1
            try:
                work(rank, world, int.from_bytes(os.read(store_port[0], 4), "little"), cases)
                code = 0
            finally:
                sys.stderr.flush()
                os._exit(code)
        workers.append(pid)
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    os.write(store_port[1], store.port.to_bytes(4, "little") * world)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in workers]
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), json.loads(sys.argv[2])))
