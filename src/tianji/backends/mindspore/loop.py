"""The training loop of one rank on MindSpore: build the plan's part of the model, then step after step."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mindspore
import numpy as np
from mindspore import Parameter, ParameterTuple, Tensor, ops
from mindspore.communication import init
from numpy.typing import NDArray

from tianji.backends.first_weights import open_first_weights
from tianji.backends.mindspore.collectives import CollectiveGroup, Meeting
from tianji.backends.mindspore.device_mesh import RankPlace
from tianji.backends.mindspore.pipeline_parallel import layers_of_stage, order_turns
from tianji.backends.mindspore.tensor_parallel import axis_of, cut_weight, is_partial
from tianji.backends.mindspore.transformer import Loss, Part, StreamShape
from tianji.backends.mindspore.updates import BETAS, Accumulate, Update
from tianji.backends.options import RunOptions
from tianji.backends.trainer.tokens import Corpus
from tianji.parallel.plan import Plan
from tianji.units import KIB, Bytes


class MindSporeTrainer:
    """One rank's stage of the model, cut as the plan says, and its optimizer."""

    def __init__(self, plan: Plan, rank: int, options: RunOptions, weights: Path) -> None:
        s, job = plan.strategy, plan.job
        self.plan, self.place = plan, RankPlace.of(s, rank)
        place, model, carried = self.place, job.model, open_first_weights(weights)
        self.corpus = Corpus(Path(options.data) if options.data else None, job.seq_len, model.vocab_size)
        tensor, data = CollectiveGroup("tp", place.tp_ranks, rank), CollectiveGroup("dp", place.dp_ranks, rank)
        shape = StreamShape(
            model, s.micro_batch_size, job.seq_len, tensor, s.sequence_parallel,
            epsilon=carried.norm_epsilon, rates=carried.rotary_rates,
        )  # fmt: skip

        def take(name: str) -> NDArray[np.float32]:
            return np.ascontiguousarray(
                cut_weight(name, carried.arrays[name], place.tp, s.tp, model.num_key_value_heads)
            )

        self.is_first, self.is_last = place.pp == 0, place.pp == s.pp - 1
        layers = layers_of_stage(model, s, place.pp)
        self.part = Part(layers, take, shape, embed=self.is_first, predict=self.is_last)
        self.weights = ParameterTuple(self.part.trainable_params())
        self.sums = ParameterTuple([Parameter(ops.zeros_like(w), name=f"sum.{w.name}") for w in self.weights])
        self.accumulate = Accumulate(self.sums)
        partial = [is_partial(w.name, s, model.num_key_value_heads) for w in self.weights]
        copies = [
            s.dp * (s.tp if axis_of(w.name, s.tp, model.num_key_value_heads) is None else 1) for w in self.weights
        ]
        self.update = Update(
            self.weights, self.sums, partial, copies, tensor, data,
            CollectiveGroup("all", range(s.chips), rank), 1.0 / (plan.num_microbatches * s.dp), options,
        )  # fmt: skip
        self.loss = Loss(self.part) if self.is_last else None
        self.forward, self.backward = _passes(self.part, self.loss, self.weights, is_first=self.is_first)
        self._meet(shape.stream, rank)
        self.logits: list[Tensor] | None = None
        """Of each micro-batch of a step; kept while it is a list."""
        self.gradients: Sequence[Tensor] = ()
        """Of the last step, as the update saw them before it clipped."""

    def _meet(self, shape: tuple[int, ...], rank: int) -> None:
        ranks, at = self.place.pp_ranks, self.place.pp
        self.before = None if self.is_first else Meeting("pp", ranks[at - 1 : at + 1], rank, shape)
        self.after = None if self.is_last else Meeting("pp", ranks[at : at + 2], rank, shape)

    def step(self, index: int) -> tuple[float, float]:
        """Run one optimizer step; return the loss and the gradients' norm, both of the whole job."""
        s, count = self.plan.strategy, self.plan.num_microbatches
        share = self.plan.job.global_batch_size // s.dp
        tokens = self.corpus.numbers(index, self.place.dp * share, share, self.plan.job.global_batch_size).astype(
            np.int32
        )
        inputs = [Tensor(part.reshape(-1)) for part in np.split(tokens[:, :-1], count)]
        targets = [Tensor(part.reshape(-1)) for part in np.split(tokens[:, 1:], count)]
        losses = self._run_turns(inputs, targets, count)
        mean = float(np.mean(losses, dtype=np.float64)) / (s.tp * s.dp) if losses else 0.0
        corrections = [np.float32(1 - BETAS[0] ** (index + 1)), np.float32(np.sqrt(1 - BETAS[1] ** (index + 1)))]
        sums, self.gradients = self.update(Tensor(np.float32(mean)), *map(Tensor, corrections))
        loss, norm = sums.asnumpy()
        return float(loss), float(norm)

    def probe(self) -> dict[str, NDArray[np.float32]]:
        """Return the logits that were kept and this rank's part of each gradient, by the weight's name."""
        arrays = {str(w.name): g.asnumpy() for w, g in zip(self.weights, self.gradients, strict=True)}
        return arrays | ({"logits": np.concatenate([x.asnumpy() for x in self.logits])} if self.logits else {})

    def _run_turns(self, inputs: list[Tensor], targets: list[Tensor], count: int) -> list[float]:
        entered: dict[int, Tensor] = dict(enumerate(inputs)) if self.is_first else {}
        left: dict[int, Tensor] = {}
        gradients: dict[int, Tensor] = {}
        losses: list[float] = []
        for kind, i in order_turns(self.plan.strategy.schedule, self.place.pp, self.plan.strategy.pp, count):
            if kind == "take" and self.before:
                entered[i] = self.before.take()
            elif kind == "forward" and not self.is_last:
                left[i] = self.forward(entered[i])
            elif kind == "pass" and self.after:
                self.after.give(left.pop(i))
            elif kind == "fetch" and self.after:
                gradients[i] = self.after.take()
            elif kind == "backward":
                sent = targets[i] if self.is_last else gradients.pop(i)
                value, gradients[i], of_weights = self.backward(entered.pop(i), sent)
                self.accumulate(*of_weights)
                if self.is_last:
                    losses.append(float(value[0].asnumpy()))
                    if self.logits is not None:
                        self.logits.append(value[1])
            elif kind == "return" and self.before:
                self.before.give(gradients.pop(i))
        return losses


def _passes(part: Part, loss: Loss | None, weights: ParameterTuple, *, is_first: bool) -> tuple[Any, Any]:
    """Return the forward pass of a stage, and its backward pass: (value, gradient of what came in, gradients of weights).

    A stage before the last computes its forward pass again to find its gradients: nothing but its input is kept in between.
    """
    if loss is not None:
        find = mindspore.value_and_grad(loss, None if is_first else 0, weights, has_aux=True)

        def backward(x: Tensor, targets: Tensor) -> tuple[Any, Any, Any]:
            value, gradients = find(x, targets)
            return (value, None, gradients) if is_first else (value, *gradients)

        return part, backward
    differentiate = ops.GradOperation(get_all=not is_first, get_by_list=True, sens_param=True)(part, weights)

    def pull_back(x: Tensor, gradient: Tensor) -> tuple[Any, Any, Any]:
        gradients = differentiate(x, gradient)
        return (None, None, gradients) if is_first else (None, gradients[0][0], gradients[1])

    return part, pull_back


def train(
    plan: Plan,
    rank: int,
    options: RunOptions,
    weights: Path,
    *,
    on_step: Callable[..., None],
    probe: Path | None = None,
) -> dict[str, Any]:
    """Train on one rank until ``options.steps`` steps are done, calling ``on_step(index=, seconds=, loss=, ...)`` after each.

    With ``probe`` the logits and the gradients of the first step go to that file: this rank's parts, by name.
    Returns facts of the run: ``chip`` and ``versions``.
    """
    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    mindspore.set_device("CPU")
    if plan.strategy.chips > 1:
        init("mccl")
    trainer = MindSporeTrainer(plan, rank, options, weights)
    for index in range(options.steps):
        trainer.logits = [] if probe and index == 0 else None
        began = time.perf_counter()
        loss, norm = trainer.step(index)
        seconds = time.perf_counter() - began
        on_step(index=index, seconds=seconds, loss=loss, gradient_norm=norm, memory_peak=_memory_peak())
        if probe and index == 0:
            arrays: dict[str, Any] = trainer.probe()
            np.savez(probe, **arrays)
    versions = {"mindspore": mindspore.__version__, "numpy": np.__version__}
    return {"chip": "cpu", "versions": versions}


def _memory_peak() -> Bytes:
    """Return the most bytes that the process held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
