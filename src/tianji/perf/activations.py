"""Bytes of activations on one chip: what micro-batches in flight leave behind, and the working memory beside it.

Activations follow Korthikanti et al. 2022 ("Reducing Activation Recomputation in Large Transformer Models"), op by op: for a
GPT-3 layer without fused attention they come to sbh (34 + 5 a s / h), or sbh (10 + 24/t + 5 a s / h t) under tensor
parallelism without sequence parallelism; selective recompute drops the 5 a s / h, full recompute keeps 2 sbh.
"""

from __future__ import annotations

import numpy as np

from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid
from tianji.perf.context import add_up, largest
from tianji.perf.offload import COPIES, host_state
from tianji.perf.rank_parameters import parameters_of_rank, trained_of_rank
from tianji.perf.recompute import dropped_bytes
from tianji.perf.stages import Stage, in_flight
from tianji.perf.trained import frozen_wire
from tianji.units import Array
from tianji.workload import Job, Model
from tianji.workload.adapters import AdapterSize, adapter_sizes
from tianji.workload.layer_widths import Widths, last_kind, layer_sizes

Kept = dict[str, tuple[Array, Array]]
"""By kind of layer, the bytes that one token leaves behind in one: with nothing recomputed, and as the strategy says."""


def layer_activations(job: Job, g: Grid, widths: Widths, adapters: AdapterSize | None = None) -> tuple[Array, Array]:
    """Return bytes that one token leaves behind in one layer: with nothing recomputed, and as the strategy says.

    The token counts before the tensor cut; the result is per chip. With ``adapters`` the matrices are frozen: only those with an
    adapter keep their input, and each adapter keeps the r elements between its own two.
    """
    model, p = job.model, job.precision
    h, a, w = widths.hidden_size or model.hidden_size, p.activation_size, p.linear_input_size
    cut = np.where(g.sequence_parallel, g.tp, 1)
    dropout = 1.0 * h if model.learned_positions else 0.0
    kept_inputs, keeps_hidden, keeps_expert = _kept_inputs(widths, adapters)
    narrow_inputs = kept_inputs * 1.0 * h * w / cut
    norms = widths.norms * h * a / cut
    projected = widths.projected * a / g.tp
    latents = widths.latents * a / cut
    mixed = widths.mixed * w / g.tp
    gates = widths.gates * a / g.tp
    hidden = keeps_hidden * widths.hidden * w / g.tp
    scores = np.where(g.flash_attention, 4.0, 5.0 * (widths.tokens or job.seq_len)) * widths.heads / g.tp
    experts: Array = np.asarray(0.0)
    expert_hidden: Array = np.asarray(0.0)
    if widths.top_k:
        routed = widths.top_k * job.moe_imbalance / g.tp
        experts = routed * (keeps_expert * widths.sent * w + widths.expert_gates * a)
        expert_hidden = routed * keeps_expert * widths.expert_hidden * w
        if adapters:
            experts = experts + routed * adapters.expert_saved * a
    whole = (
        narrow_inputs
        + norms
        + 2.0 * dropout / cut
        + projected
        + latents
        + mixed
        + gates
        + hidden
        + scores
        + experts
        + expert_hidden
    )
    if adapters:
        whole = whole + adapters.saved * a / cut
    # With fused attention the cheap outputs go (of norms and activations); without, the scores, as published. What MLA
    # expands from its latents goes too, as DeepSeek-V3's makers and Megatron's `mla_up_proj` have it.
    cheap = np.where(g.flash_attention, narrow_inputs + hidden + expert_hidden, scores)
    cheap = cheap + (projected if widths.is_expanded else 0.0)
    if np.any(g.recompute_modules):
        pieces = {
            "inputs": narrow_inputs, "projected": projected, "gates": gates, "hidden": hidden, "scores": scores,
            "experts": experts, "expert_hidden": expert_hidden,
        }  # fmt: skip
        named = dropped_bytes(pieces, g, has_experts=widths.top_k > 0, is_expanded=widths.is_expanded)
        cheap = np.where(g.recompute_modules > 0, named, cheap)
    kept = np.where(g.among("recompute", "selective"), whole - cheap, whole)
    kept = np.where(g.among("recompute", "full"), model.stream_size * a / cut, kept)
    share = widths.tokens / job.seq_len if widths.tokens else 1.0
    if job.task.is_forward_only:
        return share * whole, np.zeros_like(whole)
    return share * whole, share * (whole + g.recompute_layers * (kept - whole))


def _kept_inputs(widths: Widths, adapters: AdapterSize | None) -> tuple[int, bool, bool]:
    """Return of how many matrices that read the hidden state the input is kept, and whether those of the MLP's outputs are.

    A gradient of weights needs the input. Attention's output is kept in any case: its backward pass reads it.
    """
    if adapters is None:
        return widths.inputs, True, True
    has = adapters.targets
    return min(widths.inputs, ("qkv" in has) + ("mlp" in has)), "mlp" in has, "experts" in has


def kept_of_kinds(job: Job, g: Grid) -> Kept:
    """Return what one token leaves behind in one layer of each kind."""
    adapters = adapter_sizes(job.model, job.task) if job.task.adapter_rank else {}
    return {
        kind: layer_activations(job, g, size.widths, adapters.get(kind))
        for kind, size in layer_sizes(job.model).items()
    }


def activation_bytes(
    job: Job, stage: Stage, g: Grid, microbatches: Array, constants: Constants, kinds: Kept | None = None
) -> dict[str, Array]:
    """Return bytes that the micro-batches in flight leave behind, and the working memory of the fullest moment.

    Args:
        job: Model and sizes.
        stage: The stage whose chips are asked for.
        g: The grid of strategies.
        microbatches: Of one step on one replica.
        constants: ``activation_overhead`` is what the allocator holds over these sums.
        kinds: :func:`kept_of_kinds`, where several stages are asked for.

    Source: Korthikanti et al. 2022, table 2.
    Working memory peaks either in the backward pass of one layer (what is recomputed of it, and the buffers of its experts)
    or in the loss, when no layer is at work; the larger of the two counts.
    """
    tokens = g.micro_batch_size * (job.seq_len / g.cp)
    kinds = kept_of_kinds(job, g) if kinds is None else kinds
    kept_of_token = _kept_of_token(job.model, stage, kinds)
    whole = largest([whole for whole, _ in kinds.values()])
    kept = largest([kept for _, kept in kinds.values()])
    flying = in_flight(g, microbatches, stage.index)
    again = np.where(stage.has_layers, whole - kept, 0.0)
    working = tokens * again + _dispatch_bytes(job, stage, g, tokens)
    if np.any(stage.has_head):
        working = np.maximum(working, _loss_bytes(job, stage, g, tokens))
    left = tokens * kept_of_token * flying
    if np.any(g.offload_activations):
        left = left * (1.0 - g.offload_activations) + g.offload_activations * np.minimum(left, COPIES * tokens * kept)
    return {
        "activations": left * constants.activation_overhead,
        "working": working * constants.activation_overhead,
    }


def kept_bytes(job: Job, stage: Stage, g: Grid) -> Array:
    """Return bytes that one micro-batch in flight leaves behind on a chip of a stage, in its own memory or its host's."""
    kinds = kept_of_kinds(job, g)
    tokens = g.micro_batch_size * (job.seq_len / g.cp)
    left: Array = tokens * _kept_of_token(job.model, stage, kinds)
    return left


def host_bytes(job: Job, stage: Stage, g: Grid, microbatches: Array) -> dict[str, Array]:
    """Return bytes in the host's memory for one chip of a stage; ``microbatches`` are those of one step on one replica."""
    flying = in_flight(g, microbatches, stage.index)
    return {
        "optimizer": trained_of_rank(job, stage, g).of_level(g, 1) * host_state(job.precision, g)
        + parameters_of_rank(job, stage, g).of_level(g, 1) * (g.offload_weights * frozen_wire(job)),
        "activations": kept_bytes(job, stage, g) * flying * g.offload_activations,
    }


def _kept_of_token(model: Model, stage: Stage, kinds: Kept) -> Array:
    """Return bytes that one token leaves behind in all layers of a stage, prediction modules included."""
    modules, last = stage.modules * (1 if model.moe else 0), last_kind(model)
    return add_up(
        (n + modules if kind == last else n) * kinds[kind][1] for kind, n in stage.counts.items() if kind in kinds
    )


def _dispatch_bytes(job: Job, stage: Stage, g: Grid, tokens: Array) -> Array:
    """Return the buffers of tokens on their way to the experts and back."""
    most: Array = np.asarray(0.0)
    for kind, size in layer_sizes(job.model).items():
        if not size.widths.top_k:
            continue
        routed = tokens / g.tp * (size.widths.top_k * size.widths.sent) * job.moe_imbalance
        sent = routed * (job.precision.dispatch_size + job.precision.activation_size)
        most = np.maximum(most, sent * stage.has(kind) * (g.ep > 1))
    return most


def _loss_bytes(job: Job, stage: Stage, g: Grid, tokens: Array) -> Array:
    """Return logits with their copies and gradients; fully sharded training gathers the head and its gradient, too."""
    p, model = job.precision, job.model
    logits = tokens * (1.0 + model.num_mtp_layers) * (model.num_outputs * p.logit_size) / g.tp
    whole_head = (
        (g.zero >= 3) * (g.cp * g.dp > 1) * ((model.embedding_size or model.hidden_size) * model.num_outputs / g.tp)
    )
    # As in _gathered_bytes, a compiler reduces the head's gradient in the format in which it is computed.
    reduced = np.where(g.among("zero_kind", "matrices"), 0.0, p.gradient_wire)
    gradient = 0.0 if job.task.is_frozen else p.activation_size + reduced
    size: Array = stage.works_on_loss * (logits + whole_head * (p.weight_wire + gradient))
    return size
