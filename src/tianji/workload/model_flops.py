"""Model FLOPs of a job's step: what its task needs of the forward and the backward pass, however it is cut."""

from __future__ import annotations

from collections.abc import Iterator

from tianji.units import Flops
from tianji.workload.adapters import adapter_flops
from tianji.workload.job import Job
from tianji.workload.layers import block_name, model_layers, step_flops
from tianji.workload.model import Model
from tianji.workload.ops import LayerOps, Role


def job_flops(job: Job) -> Flops:
    """Return the model FLOPs of a step: forward once; backward the gradients of activations, and of weights that are trained.

    For a dense model of N matmul weights that is 6 N a token, 4 N where all of them are frozen; attention has no weights and
    counts in full. Adapters count three times their forward pass, a teacher its forward pass once. Packed samples count the
    context that each token attends to in its own sample.
    """
    model, task, tokens = job.model, job.task, job.tokens_per_step
    if task.trains_all and not job.sample_lengths:
        return step_flops(model, job.seq_len, tokens, job.causal)
    flops = _of_samples(job, model, 3.0)
    if task.adapter_rank:
        own = sum(n * (3.0 * adapter_flops(layer, task) - linear_flops(layer)) for n, layer in _counted(model))
        flops += tokens * own
    return flops + (_of_samples(job, task.teacher, 1.0) if task.teacher else 0.0)


def linear_flops(layer: LayerOps) -> Flops:
    """Return the forward FLOPs of a layer's matrices for one token: as many as the gradients of these weights take."""
    own = sum(m.flops for m in layer.matmuls if m.role is not Role.MIXING)
    return own + (layer.experts.flops if layer.experts else 0.0)


def _of_samples(job: Job, model: Model, passes: float) -> Flops:
    """Return the FLOPs of so many forward passes over a step's tokens, each in a sample of its own length."""
    steps = ((share, step_flops(model, length, job.tokens_per_step, job.causal)) for length, share in job.samples)
    return passes / 3.0 * sum(share * flops for share, flops in steps)


def _counted(model: Model) -> Iterator[tuple[float, LayerOps]]:
    layers = model_layers(model)
    if model.blocks:
        counts = {block_name(i): n for i, n in model.block_counts.items()} | {"embedding": 1}
    else:
        counts = {"dense": model.num_dense_layers, "moe": model.num_moe_layers}
    counts |= {"head": 1 + model.num_mtp_layers, "mtp": model.num_mtp_layers}
    return ((n, layers[name]) for name, n in counts.items() if n)
