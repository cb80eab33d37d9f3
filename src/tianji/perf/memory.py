"""Bytes on one chip, stage by stage.

Activations follow Korthikanti et al. 2022 ("Reducing Activation Recomputation in Large Transformer Models"), op by op: for a
GPT-3 layer without fused attention they come to sbh (34 + 5 a s / h), or sbh (10 + 24/t + 5 a s / h t) under tensor
parallelism without sequence parallelism; selective recompute drops the 5 a s / h, full recompute keeps 2 sbh.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tianji.hardware import Pool
from tianji.hardware.constants import Constants
from tianji.identity import remember
from tianji.parallel.grid import Grid
from tianji.parallel.mesh import expert_data_group, shard_group
from tianji.perf.context import add_up, largest
from tianji.perf.offload import COPIES, chip_state, host_state
from tianji.perf.recompute import dropped_bytes
from tianji.perf.stages import Stage, in_flight
from tianji.perf.trained import adapter_parameters, frozen_matrices
from tianji.units import Array
from tianji.workload import Job, Model
from tianji.workload.adapters import AdapterSize, adapter_sizes
from tianji.workload.layers import Widths, last_kind, layer_sizes, model_layers
from tianji.workload.ops import Role

Kept = dict[str, tuple[Array, Array]]
"""By kind of layer, the bytes that one token leaves behind in one: with nothing recomputed, and as the strategy says."""
GATHERED_LAYERS = 2.0
"""Whole layers that fully sharded training holds at once: the one in use and the one that is prefetched."""
FLAT_BUCKETS = 2 * 5e8
"""Elements of DeepSpeed's two flat buckets at their defaults, ``reduce_bucket_size`` and ``allgather_bucket_size``, in the format
of the gradients (documentation of its configuration JSON)."""


def dense_parameters(model: Model, stage: Stage, g: Grid) -> Array:
    """Return parameters on one chip of a stage that are not routed experts, before any ZeRO sharding.

    Every tensor rank holds all of the norms, the routers and MLA's projections to latents, and a part of the rest.
    """
    sizes, last = layer_sizes(model), last_kind(model)
    modules = stage.modules
    parameters = add_up(n * sizes[kind].parameters for kind, n in stage.counts.items() if kind in sizes)
    parameters = parameters + stage.has_embedding * model.embedding_parameters()
    shared = model.table_parameters if model.tied_embeddings else 0
    parameters = parameters + stage.has_head * (model.head_parameters() + np.where(g.pp > 1, shared, 0))
    if model.num_mtp_layers:
        parameters = parameters + modules * _mtp_parameters(model)
    layers = {kind: n + modules if kind == last else n for kind, n in stage.counts.items()}
    whole = add_up(n * sizes[kind].whole for kind, n in layers.items() if kind in sizes)
    on_chip: Array = stage.copies * (whole + (parameters - whole) / g.tp)
    return on_chip


def expert_parameters(model: Model, stage: Stage, g: Grid) -> Array:
    """Return routed-expert parameters on one chip of a stage, before any ZeRO sharding."""
    sizes, last = layer_sizes(model), last_kind(model)
    parameters: Array = np.asarray(0.0)
    for kind, n in stage.counts.items():
        if kind in sizes and np.any(sizes[kind].expert_parameters):
            layers = n + stage.modules if kind == last else n
            parameters = parameters + stage.copies * layers * sizes[kind].expert_parameters / (g.ep * g.etp)
    return parameters


def _mtp_parameters(model: Model) -> int:
    return 2 * model.hidden_size**2 + 3 * model.hidden_size + layer_sizes(model)[last_kind(model)].parameters


def _layer_parameters(job: Job, stage: Stage, g: Grid) -> Array:
    """Return parameters of the largest layer of a stage on one chip, before any ZeRO sharding."""
    most: Array = np.asarray(0.0)
    for kind, size in layer_sizes(job.model).items():
        layer = size.whole + (size.parameters - size.whole) / g.tp + size.expert_parameters / (g.ep * g.etp)
        most = np.maximum(most, stage.has(kind) * layer)
    return most


@dataclass(frozen=True, slots=True)
class RankParameters:
    """Parameters on one chip before any sharding, and over how many ranks ZeRO divides them."""

    dense: Array
    expert: Array
    shard: Array
    expert_shard: Array

    def of_level(self, g: Grid, level: int) -> Array:
        """Return those for which a chip keeps what ZeRO divides from a level on."""
        cut, expert_cut = (np.where(g.zero >= level, size, 1.0) for size in (self.shard, self.expert_shard))
        parameters: Array = self.dense / cut + self.expert / expert_cut
        return parameters


@remember(16)
def parameters_of_rank(job: Job, stage: Stage, g: Grid) -> RankParameters:
    """Return the parameters of one chip of a stage."""
    model = job.model
    dense, expert = dense_parameters(model, stage, g), expert_parameters(model, stage, g)
    shard = shard_group(g).size * 1.0
    return RankParameters(dense, expert, shard, np.minimum(expert_data_group(g).size, shard) * 1.0)


def trained_of_rank(job: Job, stage: Stage, g: Grid) -> RankParameters:
    """Return the trained parameters of one chip of a stage: all of them, or its adapters."""
    own = parameters_of_rank(job, stage, g)
    if not job.task.is_frozen:
        return own
    dense, expert = adapter_parameters(job, stage, g)
    return replace(own, dense=dense, expert=expert)


def _gathered_bytes(job: Job, stage: Stage, g: Grid) -> Array:
    """Return what fully sharded training gathers at once, with the gradient of one part: as it is computed and reduced."""
    p = job.precision
    if job.task.is_frozen:
        return _frozen_wire(job) * GATHERED_LAYERS * _layer_parameters(job, stage, g)
    layers = (p.weight_wire * GATHERED_LAYERS + p.activation_size + p.gradient_wire) * _layer_parameters(job, stage, g)
    if not np.any(g.among("zero_kind", "matrices")):
        return layers
    # A compiler gathers and reduces each matrix by itself, and reduces it in the format in which it is computed.
    matrices = (p.weight_wire * GATHERED_LAYERS + p.activation_size) * _largest_matrix(job, stage, g)
    return np.where(g.among("zero_kind", "matrices"), matrices, layers)


def _largest_matrix(job: Job, stage: Stage, g: Grid) -> Array:
    """Return the elements of the largest matrix of a stage on one chip; the experts of a layer are one matrix each way."""
    most: Array = np.asarray(0.0)
    for kind, layer in model_layers(job.model).items():
        if kind not in stage.counts:
            continue
        halves = 2.0 if job.model.gated_mlp else 1.0
        sizes = [
            m.k * m.n / (halves if m.role in (Role.MLP_IN, Role.SHARED_EXPERT) else 1.0) / g.tp for m in layer.matmuls
        ]
        if layer.experts:
            count = layer.experts.num_experts / (g.ep * g.etp)
            sizes += [count * m.k * m.n / (halves if m.cut == "column" else 1.0) for m in layer.experts.matmuls]
        for size in sizes:
            most = np.maximum(most, (stage.counts[kind] > 0) * size)
    return most


def state_bytes(job: Job, stage: Stage, g: Grid) -> dict[str, Array]:
    """Return bytes of weights, gradients and optimizer state on one chip of a stage, for each strategy of a grid.

    ZeRO 1 divides the optimizer over the sharding group, 2 the gradients too, 3 the weights too; fully sharded training then
    keeps the fp32 master copy as the weights and gathers two layers at a time.
    """
    p = job.precision
    own = trained_of_rank(job, stage, g)

    def sharded(size: Array | float, level: int) -> Array:
        return size * own.of_level(g, level)

    # Beside the gathered layers, the gradient of one: as it is computed, and as it is reduced.
    gathered = _gathered_bytes(job, stage, g)
    whole = p.weight_size * (own.dense + own.expert)
    if job.task.is_frozen:
        weights = _frozen_bytes(job, stage, g, gathered) + whole
    else:
        weights = np.where(g.zero >= 3, np.minimum(gathered, whole), whole)
    is_flat = g.among("zero_kind", "buckets") | g.among("zero_kind", "modules")
    buckets = FLAT_BUCKETS * p.activation_size * (is_flat & (g.zero > 0) & (g.cp * g.dp > 1))
    return {
        "weights": weights + buckets,
        "gradients": np.where(g.offload_weights, 0.0, sharded(p.gradient_size, 2)),
        "optimizer": sharded(chip_state(p, g), 1),
    }


def _frozen_wire(job: Job) -> float:
    """Return bytes of a frozen parameter on the wire of a gather."""
    return job.task.frozen_size or job.precision.weight_wire


def _frozen_bytes(job: Job, stage: Stage, g: Grid, gathered: Array) -> Array:
    """Return bytes of frozen weights on one chip: no copy of them is kept in another format, and ZeRO-3 keeps a shard.

    A quantized base has one matrix at a time in the format of its matmul.
    """
    own, p = parameters_of_rank(job, stage, g), job.precision
    whole = p.weight_size * (own.dense + own.expert)
    shard = p.weight_size * own.of_level(g, 3)
    if job.task.frozen_size:
        kept = (p.weight_size - job.task.frozen_size) * frozen_matrices(job, stage, g)
        # The search for stages prices ranks without a layer, too: these have no weights at all.
        share = (whole - kept) / np.where(whole > 0.0, whole, 1.0)
        whole, shard = whole * share, shard * share
        one = p.activation_size * _largest_matrix(job, stage, g)
        whole, shard = whole + one, shard + one
    shard = np.where(g.offload_weights, 0.0, shard)
    return np.where(g.zero >= 3, shard + np.minimum(gathered, whole), whole)


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
        + parameters_of_rank(job, stage, g).of_level(g, 1) * (g.offload_weights * _frozen_wire(job)),
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


def fixed_bytes(constants: Constants, g: Grid) -> dict[str, Array]:
    """Return what the communicators and the framework take, whatever the model.

    One communicator for each axis in use, and one for all ranks (pipeline: one for each direction).
    """
    axes = [g.tp > 1, g.cp > 1, g.cp * g.dp > 1, g.ep > 1, g.etp > 1, g.pp > 1, g.pp > 1]
    count: Array = np.where(g.chips > 1, 1.0, 0.0)
    for used in axes:
        count = count + used
    return {"communicators": count * constants.communicator_size, "framework": np.asarray(constants.framework_reserve)}


def usable_memory(pool: Pool) -> float:
    """Return the bytes of one chip that a job can have."""
    return pool.chip.memory_size() * pool.usable_memory
