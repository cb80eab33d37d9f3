"""The training loop of one rank: build the plan's part of the model, then step after step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import loss_parallel

from tianji.backends.first_weights import open_first_weights
from tianji.backends.options import RunOptions
from tianji.backends.rendezvous import join_store
from tianji.backends.trainer.accelerator import Accelerator, choose_accelerator
from tianji.backends.trainer.checkpoint import Checkpoints
from tianji.backends.trainer.context_parallel import SequenceCut, place_tokens
from tianji.backends.trainer.device_mesh import Meshes
from tianji.backends.trainer.fsdp import begin_microbatch, recompute_activations, shard_state
from tianji.backends.trainer.moe import local_part
from tianji.backends.trainer.pipeline_parallel import build_schedule, chunks_of, layers_of_stage, stages_of_rank
from tianji.backends.trainer.profile import profile_step
from tianji.backends.trainer.tensor_parallel import cut_experts, cut_tensors
from tianji.backends.trainer.tokens import Corpus
from tianji.backends.trainer.traffic import TrafficCounter
from tianji.backends.trainer.transformer import Transformer, carry_weights, draw_weights, loss_of
from tianji.parallel.plan import Plan
from tianji.units import Bytes, Seconds


@dataclass(frozen=True, slots=True)
class TrainStep:
    """What one rank knows after one optimizer step; loss and norm are those of the whole job."""

    index: int
    seconds: Seconds
    loss: float
    gradient_norm: float
    memory_peak: Bytes


class Trainer:
    """One rank's part of a plan: its stages of the model, cut as the strategy says, and their optimizer."""

    def __init__(self, plan: Plan, rank: int, accelerator: Accelerator, options: RunOptions) -> None:
        strategy, model, job = plan.strategy, plan.job.model, plan.job
        self.plan, self.options, self.accelerator = plan, options, accelerator
        self.meshes = Meshes.of(strategy, accelerator.kind)
        view = self.meshes.sequence
        self.dp_rank, self.pp_rank, cp_rank = (view.get_local_rank(dim) for dim in ("dp", "pp", "cp"))
        self.places = place_tokens(job.seq_len, strategy.cp, cp_rank, strategy.cp_kind)
        self.corpus = Corpus(Path(options.data) if options.data else None, job.seq_len, model.vocab_size)
        self.parts = [self._build(index) for index in stages_of_rank(strategy, self.pp_rank)]
        self.optimizer = make_optimizer(self.parameters(), accelerator, options)
        self.schedule: Any = None
        self.is_asked_to_end: Callable[[], bool] = lambda: False
        self.ends = False
        """Whether some rank was asked to end in the last step: all ranks know it from the sum that they share anyway."""
        if strategy.pp > 1:
            group = view.get_group("pp")
            self.schedule = build_schedule(list(self.parts), plan, self.pp_rank, group, accelerator.device, loss_of)

    def _build(self, index: int) -> Transformer:
        strategy, model = self.plan.strategy, self.plan.job.model
        num_stages = strategy.pp * chunks_of(strategy)
        cut = SequenceCut(self.meshes.sequence.get_group("cp"), strategy.cp_kind)
        part = Transformer(
            model, layers_of_stage(model, strategy, index), self.places, cut,
            embed=index == 0, predict=index == num_stages - 1,
        )  # fmt: skip
        if self.options.weights:
            carry_weights(part, open_first_weights(Path(self.options.weights)))
        else:
            draw_weights(part, self.options.seed)
        part.to(self.accelerator.device)
        cut_tensors(part, self.meshes.dense["tp"], sequence_parallel=strategy.sequence_parallel)
        if model.tied_embeddings and part.head is not None and part.embedding is not None:
            part.head.weight = part.embedding.weight
        cut_experts(part, self.meshes.expert["ep"])
        recompute_activations(part, strategy, model.num_layers)
        dtype = self.plan.job.precision.linear
        if dtype != "fp32" or self.meshes.shares_gradients():
            shard_state(part, self.meshes, strategy, dtype)
        return part

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield this rank's weights by their names in the whole model."""
        for part in self.parts:
            yield from part.named_parameters()

    def parameters(self) -> list[nn.Parameter]:
        """Return this rank's weights."""
        return [weight for _, weight in self.named_parameters()]

    def step(self, index: int) -> tuple[float, float]:
        """Run one optimizer step; return the loss and the gradients' norm, both of the whole job."""
        tokens = self._tokens(index)
        inputs, targets = tokens[:, :-1][:, self.places], tokens[:, 1:][:, self.places]
        with self._vocabulary_cut():
            losses = self._pipeline(inputs, targets) if self.schedule else self._accumulate(inputs, targets)
        self._finish_gradients()
        loss, norm = self._gather(losses)
        if self.options.clip and norm > self.options.clip:
            torch._foreach_mul_([local_part(g) for g in self._gradients()], self.options.clip / norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss, norm

    def _tokens(self, index: int) -> Tensor:
        batch = self.plan.job.global_batch_size
        share = batch // self.plan.strategy.dp
        return self.corpus.sequences(index, self.dp_rank * share, share, batch).to(self.accelerator.device)

    def _vocabulary_cut(self) -> AbstractContextManager[Any]:
        return loss_parallel() if self.plan.strategy.tp > 1 else nullcontext()

    def _accumulate(self, inputs: Tensor, targets: Tensor) -> list[Tensor]:
        (part,), count, losses = self.parts, self.plan.num_microbatches, []
        for i, (x, y) in enumerate(zip(inputs.chunk(count), targets.chunk(count), strict=True)):
            begin_microbatch(part, self.plan.strategy.zero, is_last=i == count - 1)
            loss = loss_of(part(x), y)
            (loss / count).backward()
            losses.append(loss.detach())
        return losses

    def _pipeline(self, inputs: Tensor, targets: Tensor) -> list[Tensor]:
        losses: list[Tensor] = []
        first, last = self.parts[0].embedding is not None, any(p.head is not None for p in self.parts)
        arguments = (inputs,) if first else ()
        if last:
            self.schedule.step(*arguments, target=targets, losses=losses, return_outputs=False)
        else:
            self.schedule.step(*arguments, return_outputs=False)
        return [loss.detach() for loss in losses]

    def _finish_gradients(self) -> None:
        """Sum what tensor ranks left as parts: FSDP does so on its way, a weight that it does not hold needs it here."""
        for weight in self.parameters():
            if isinstance(weight.grad, DTensor) and any(p.is_partial() for p in weight.grad.placements):
                weight.grad = weight.grad.redistribute(placements=cast(DTensor, weight).placements)

    def _gradients(self) -> list[Tensor]:
        return [p.grad for p in self.parameters() if p.grad is not None]

    def _gather(self, losses: list[Tensor]) -> tuple[float, float]:
        """Sum over all ranks: each loss is known to tp ranks, each gradient to as many ranks as hold it."""
        strategy = self.plan.strategy
        sums = torch.zeros(3, dtype=torch.float64, device=self.accelerator.device)
        sums[2] = float(self.is_asked_to_end())
        if losses:
            mean = torch.stack([_whole(x) for x in losses]).double().mean()
            sums[0] = mean / (strategy.tp * strategy.cp * strategy.dp)
        ranks = strategy.chips // strategy.pp
        for gradient in self._gradients():
            sums[1] += sum_squares(gradient) / (ranks // _num_shards(gradient))
        dist.all_reduce(sums)
        self.ends = bool(sums[2] > 0)
        return float(sums[0]), float(sums[1].sqrt())


def train(
    plan: Plan,
    rank: int,
    world: int,
    rendezvous: str,
    options: RunOptions,
    *,
    local_rank: int | None = None,
    local_size: int | None = None,
    on_step: Callable[[TrainStep], None] | None = None,
    is_asked_to_end: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Train on one rank until ``options.steps`` steps are done: the entry of every engine's worker.

    ``rendezvous`` is ``tcp://host:port/name``, a store that somebody else keeps (so it outlives rank 0); runs of different
    names do not see each other. With ``options.resume_from`` the first step is the one after that checkpoint's. ``on_step`` is
    called after each step, and what it raises ends the run. ``is_asked_to_end`` is asked in each step; where it is true on any
    rank, all ranks save and end after that step.

    Returns facts of the run: ``chip``, ``versions``, and of the profiled step ``traffic`` by axis.
    """
    accelerator = choose_accelerator(rank if local_rank is None else local_rank, local_size or world, options.device)
    store = join_store(rendezvous)
    patience = timedelta(seconds=options.timeout)
    dist.init_process_group(accelerator.collectives, store=store, rank=rank, world_size=world, timeout=patience)
    trainer = Trainer(plan, rank, accelerator, options)
    trainer.is_asked_to_end = is_asked_to_end or trainer.is_asked_to_end
    checkpoints = Checkpoints(trainer, options) if options.checkpoint_every or options.resume_from else None
    first = checkpoints.resume(Path(options.resume_from)) if checkpoints and options.resume_from else 0
    for index in range(first, options.steps):
        accelerator.synchronize()
        began = time.perf_counter()
        loss, norm = trainer.step(index)
        accelerator.synchronize()
        if on_step:
            on_step(TrainStep(index, time.perf_counter() - began, loss, norm, accelerator.memory_peak()))
        if checkpoints:
            checkpoints.save_if_due(index, is_last=trainer.ends or index == options.steps - 1)
        if trainer.ends:
            break
    if checkpoints:
        checkpoints.finish()
    facts: dict[str, Any] = {"chip": accelerator.title, "versions": {"torch": torch.__version__}}
    if options.trace:
        counter = TrafficCounter(trainer.meshes.axis_of_groups())
        path = Path(options.out) / f"rank-{rank:05d}.trace.json"
        profile_step(lambda: trainer.step(options.steps), accelerator, counter, path)
        facts["traffic"] = counter.by_axis()
    dist.barrier()
    return facts


def make_optimizer(
    parameters: list[nn.Parameter], accelerator: Accelerator, options: RunOptions
) -> torch.optim.Optimizer:
    """Return the optimizer of some weights, grouped by their mesh: one fused update takes weights of one mesh only."""
    groups: dict[Any, list[nn.Parameter]] = {}
    for weight in parameters:
        groups.setdefault(weight.device_mesh if isinstance(weight, DTensor) else None, []).append(weight)
    tables = [{"params": weights} for weights in groups.values()]
    if options.optimizer == "sgd":
        return torch.optim.SGD(tables, lr=options.learning_rate)
    return torch.optim.AdamW(
        tables, lr=options.learning_rate, betas=(0.9, 0.95), weight_decay=0.1, fused=accelerator.fuses_updates
    )


def sum_squares(gradient: Tensor) -> Tensor:
    """Return the sum of squares of this rank's part, added up in double precision but without a copy in it."""
    return torch.linalg.vector_norm(local_part(gradient), dtype=torch.float64).square()


def _num_shards(x: Tensor) -> int:
    """Return over how many ranks a tensor is cut."""
    if not isinstance(x, DTensor):
        return 1
    count = 1
    for dim, placement in enumerate(x.placements):
        count *= 1 if placement.is_replicate() else x.device_mesh.size(dim)
    return count


def _whole(x: Tensor) -> Tensor:
    return x.full_tensor() if isinstance(x, DTensor) else x
