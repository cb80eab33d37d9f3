"""Time of one layer for one micro-batch on one chip, by kind, forward and backward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tianji.parallel.mesh import context_group, expert_group, expert_tensor_group
from tianji.perf.adapters import adapter_seconds, count_adapter_ops
from tianji.perf.compute import attention_time, expert_time, matmul_time, vector_time
from tianji.perf.context import Context, Terms, total
from tianji.perf.host_waits import TINY, count_routed, waiting_seconds
from tianji.perf.recompute import again_seconds, count_launches
from tianji.perf.tensor_parallel import cut_pieces, pair_time, tensor_parallel_time
from tianji.units import Array
from tianji.workload.ops import SCAN_CHUNK, AttentionOp, ExpertOps, LayerOps, Matmul, Recurrence, Role, Vector

SCORE_PASSES = 6.0
"""Reads and writes of the score matrix when attention is not fused: scores, mask and softmax, values."""
PLAIN_PASSES = 20.0
"""The same in fp32 and op by op: convert, scale, mask, softmax, convert back. Megatron's fused softmax takes only a multiple of
four score matrices on a rank and falls back to this."""
SOFTMAX_BATCHES = 4
PLAIN_OPS = 4
"""Further ops that the fallback launches."""
SCAN_OPS = 4
"""Launches of one linear recurrence: decays, states of the chunks, their recurrence, outputs."""
STATE_SIZE = 4.0
"""Bytes of an element of a recurrent state."""
ALIGNMENT = 8
"""Elements that a head must be a multiple of for batched score matmuls to run on the matrix units."""
UNALIGNED = 0.1
"""Share of the matrix rate that is left when it is not: the vector units do the work."""


@dataclass(frozen=True, slots=True)
class LayerTime:
    """Seconds by kind. ``weight`` is the part of the backward pass that computes weight gradients."""

    forward: Terms
    backward: Terms
    weight: Array
    seconds: tuple[Array, Array]
    """Forward and backward, all kinds together."""


def layer_time(layer: LayerOps, c: Context) -> LayerTime:
    """Return the seconds of one layer for one micro-batch on one chip.

    Args:
        layer: Its ops; embedding and head are layers of other ops.
        c: The job, the chip's rates, the links and the grid of strategies.

    Compute is estimated op by op (:mod:`tianji.perf.compute`), communication axis by axis, each hidden beside the work that runs
    with it. Sources: Shoeybi et al. 2019 and Korthikanti et al. 2022 (tensor parallelism), Liu et al. 2023 (ring), Jacobs et al.
    2023 (Ulysses), Lepikhin et al. 2020 (experts). Known limit: a ring and the dispatch may hide behind the same attention.
    """
    if layer.tokens or layer.width:
        c = c.of_layer(layer.tokens, layer.width)
    m_forward, m_input, m_weight = _matmuls(layer.matmuls, c)
    v_forward, v_backward = _vectors(layer, c)
    if layer.experts:
        e_forward, e_input, e_weight, e_vector = c.once(_experts, layer.experts)
        m_forward, m_input, m_weight = m_forward + e_forward, m_input + e_input, m_weight + e_weight
        v_forward, v_backward = v_forward + e_vector, v_backward + 2.0 * e_vector
    if c.job.task.adapter_rank or c.job.task.frozen_size:
        added = adapter_seconds(layer, c)
        m_forward, m_input, m_weight = m_forward + added.forward, m_input + added.inputs, m_weight + added.weights
        v_forward, v_backward = v_forward + added.vector, v_backward + added.vector
    a_forward, a_backward = c.once(_attention, layer.attention)
    if layer.scans:
        s_forward, s_backward = c.once(_scans, layer.scans)
        a_forward, a_backward = a_forward + s_forward, a_backward + s_backward
    tp_forward, tp_backward = tensor_parallel_time(layer, c)
    spread = 2.0 * c.once(_spread_experts, layer.experts) if layer.experts else np.asarray(0.0)
    cp_forward, cp_backward = c.once(_context_communication, layer.attention)
    if layer.scans:
        passed = c.once(_state_communication, layer.scans)
        cp_forward, cp_backward = cp_forward + passed, cp_backward + passed
    ep_forward, ep_backward = c.once(_expert_communication, layer.experts)
    m_backward = m_input + m_weight
    # Dispatch hides behind what tensor parallelism leaves of another micro-batch's pass, forward beside backward: of all work.
    beside_tp = c.constants.tp_overlap_share * c.hides_tensor
    if layer.experts and np.any(c.g.overlap_ep):
        rest = m_forward + a_forward + v_forward - c.hides_tensor * np.minimum(tp_forward, m_forward)
        rest = rest + m_backward + a_backward + v_backward - c.hides_tensor * np.minimum(tp_backward, m_backward)
        dispatch, share = ep_forward + ep_backward, c.constants.ep_overlap_share * c.g.overlap_ep
        exposed = c.hide(dispatch, rest, share) / np.maximum(dispatch, TINY)
        ep_forward, ep_backward = ep_forward * exposed, ep_backward * exposed
    tp_forward = c.hide(tp_forward, m_forward, beside_tp) + spread
    tp_backward = c.hide(tp_backward, m_backward, beside_tp) + spread
    forward = {
        "matmul": m_forward,
        "attention": a_forward,
        "vector": v_forward,
        "tp_comm": tp_forward,
        "cp_comm": cp_forward,
        "ep_comm": ep_forward,
    }
    backward = {
        "matmul": m_backward,
        "attention": a_backward,
        "vector": v_backward,
        "tp_comm": tp_backward,
        "cp_comm": cp_backward,
        "ep_comm": ep_backward,
    }
    launches = c.constants.op_overhead * _num_ops(layer, c)
    waits = c.constants.op_blocking
    blocked = waits * launches
    if layer.experts:
        routed, looped = (
            c.constants.kernel_launch * count for count in count_routed(layer.experts.num_experts / c.g.ep, c)
        )
        launches, blocked = launches + routed, blocked + np.maximum(waits, c.constants.kernel_blocking) * routed
        blocked = blocked + (1.0 - np.maximum(waits, c.constants.kernel_blocking)) * looped
    one_way, back = total(forward), total(backward)
    is_joint = c.g.overlap_ep & (c.g.ep > 1)
    forward["overhead"], backward["overhead"] = waiting_seconds(
        (launches, 2.0 * launches), (one_way, back), blocked, is_joint
    )
    one_way = one_way + forward["overhead"]
    expanded = _matmuls(tuple(m for m in layer.matmuls if m.role is Role.EXPANSION), c)[0]
    backward["recompute"] = np.asarray(0.0)
    if layer.is_recomputed:
        backward["recompute"] = _recompute(one_way, v_forward + expanded, a_forward, c)
    if layer.is_recomputed and np.any(c.g.recompute_modules):
        # Modules that share work (every second matmul, and those of the MLP) never cost more than the whole pass.
        again = np.minimum(again_seconds(_work(layer, forward, expanded, c), c.g), one_way)
        modules = again * c.g.recompute_layers
        is_named = c.g.recompute_modules > 0
        backward["recompute"] = np.where(is_named, modules, backward["recompute"])
        # The host runs ahead of the modules' work as of all other, launches it once more, and pays for each checkpoint.
        host = 2.0 * launches + _checkpoint_seconds(layer, c)
        passes = one_way - forward["overhead"], back + modules
        _, waiting = waiting_seconds((launches, host), passes, blocked, is_joint)
        backward["overhead"] = np.where(is_named, waiting, backward["overhead"])
    if c.job.task.is_forward_only:
        nothing: Array = np.asarray(0.0)
        return LayerTime(forward, dict.fromkeys(backward, nothing), nothing, (one_way, nothing))
    return LayerTime(forward, backward, m_weight, (one_way, back + backward["overhead"] + backward["recompute"]))


def _checkpoint_seconds(layer: LayerOps, c: Context) -> Array:
    """Return the host time of the checkpoints of one layer's named modules, and of what they launch again."""
    has_expansion = any(m.role is Role.EXPANSION for m in layer.matmuls)
    kinds = {"moe": layer.experts is not None, "dense": layer.experts is None, "latent": has_expansion}
    return count_launches(c.g, kinds) * c.g.recompute_layers * c.constants.op_overhead


def _work(layer: LayerOps, forward: Terms, expanded: Array, c: Context) -> dict[str, Array]:
    """Return the seconds of a forward pass by what :data:`tianji.perf.recompute.MODULE_TABLE` calls the kinds of work."""
    zero: Array = np.asarray(0.0)
    size = c.job.precision.activation_size

    def matmuls(*roles: Role) -> Array:
        return _matmuls(tuple(m for m in layer.matmuls if m.role in roles), c)[0]

    def vectors(*roles: Role) -> Array:
        alike = [v for v in layer.vectors if v.role in roles]
        return sum((vector_time(c.rates, c.tokens / _vector_cut(v, c) * v.elements, size) for v in alike), zero)

    pair = c.once(pair_time, c.g).forward
    dense, shared = matmuls(Role.MLP_IN, Role.MLP_OUT), matmuls(Role.SHARED_EXPERT)
    work = {
        "attention": forward["attention"],
        "norms": vectors(Role.NORM),
        "expansion": expanded,
        "activation": vectors(Role.MLP_ACTIVATION, Role.SHARED_ACTIVATION),
        "mlp": dense + vectors(Role.MLP_ACTIVATION) + pair * bool(np.any(dense)),
        "shared": shared + vectors(Role.SHARED_ACTIVATION),
        "matmuls": matmuls(*Role),
        "vectors": forward["vector"],
    }
    if layer.experts:
        e_forward, _, _, e_vector = c.once(_experts, layer.experts)
        routed = c.tokens / c.g.tp * (layer.experts.top_k * layer.experts.computing) * c.imbalance
        activations = sum(v.elements for v in layer.experts.vectors if v.role is Role.EXPERT_ACTIVATION)
        there_and_back, _ = c.once(_expert_communication, layer.experts)
        routing = (
            c.constants.kernel_launch
            * c.constants.kernel_blocking
            * count_routed(layer.experts.num_experts / c.g.ep, c)[0]
        )
        work |= {
            "experts' matmuls": e_forward,
            "expert activation": vector_time(c.rates, routed * activations, size),
            "experts": e_forward + e_vector + matmuls(Role.ROUTER) + there_and_back + routing,
        }
    return work


def _num_ops(layer: LayerOps, c: Context) -> Array:
    plain: Array = np.asarray(0)
    for _, a in layer.attention:
        plain = plain + PLAIN_OPS * _falls_back(a, c)
    experts = len(layer.experts.matmuls) + len(layer.experts.vectors) + 2 if layer.experts else 0
    scans = SCAN_OPS * len(layer.scans) + count_adapter_ops(layer, c.job.task)
    return plain + (len(layer.matmuls) + len(layer.vectors) + len(layer.attention) + scans + experts)


def _matmuls(ops: tuple[Matmul, ...], c: Context) -> tuple[Array, Array, Array]:
    forward: Array = np.asarray(0.0)
    inputs: Array = np.asarray(0.0)
    weights: Array = np.asarray(0.0)
    for op in ops:
        one = c.once(_matmul, op)
        forward, inputs, weights = forward + one[0], inputs + one[1], weights + one[2]
    return forward, inputs, weights


def _matmul(op: Matmul, c: Context) -> tuple[Array, Array, Array]:
    m = c.tokens / c.sequence_cut if op.cut == "none" else c.tokens
    m = m * (op.tokens / c.job.seq_len) if op.tokens else m
    k = op.k / c.g.tp if op.cut == "row" else np.asarray(op.k * 1.0)
    n = op.n / c.g.tp if op.cut == "column" else np.asarray(op.n * 1.0)
    # A frozen matrix hands its input's gradient on, and has none of its own.
    is_trained = not c.job.task.is_frozen or op.role is Role.MIXING
    ahead, back = cut_pieces(op, c)
    return (
        matmul_time(c.rates, m, k, n, high=op.high, pieces=ahead),
        matmul_time(c.rates, m, n, k, high=op.high, pieces=back),
        matmul_time(c.rates, k, m, n, high=op.high) if is_trained else np.asarray(0.0),
    )


def _experts(experts: ExpertOps, c: Context) -> tuple[Array, Array, Array, Array]:
    """Each rank holds num_experts / ep experts, each cut over etp ranks."""
    local = experts.num_experts / c.g.ep
    routed = c.tokens / c.g.tp * (experts.top_k * experts.computing) * c.imbalance
    m = routed * c.g.etp / local
    forward: Array = np.asarray(0.0)
    inputs: Array = np.asarray(0.0)
    weights: Array = np.asarray(0.0)
    slower = c.constants.expert_weight_factor if c.rates.quantized else 1.0
    for op in experts.matmuls:
        k = op.k / c.g.etp if op.cut == "row" else np.asarray(op.k * 1.0)
        n = op.n / c.g.etp if op.cut == "column" else np.asarray(op.n * 1.0)
        forward = forward + expert_time(c.rates, local, m, k, n, c.constants)
        inputs = inputs + expert_time(c.rates, local, m, n, k, c.constants)
        if not c.job.task.is_frozen:
            weights = weights + slower * expert_time(c.rates, local, k, m, n, c.constants)
    elements = sum(
        v.elements * (c.constants.permute_factor if v.role is Role.PERMUTE else 1.0) for v in experts.vectors
    )
    return forward, inputs, weights, vector_time(c.rates, routed * elements, c.job.precision.activation_size)


def _vectors(layer: LayerOps, c: Context) -> tuple[Array, Array]:
    """The backward pass of an elementwise op reads its input and the gradient: twice the forward traffic.

    So of the bytes that the loss moves for a logit, in fp32 throughout, a third is forward.
    """
    size = c.job.precision.activation_size
    forward: Array = np.asarray(0.0)
    for op in layer.vectors:
        moved = c.constants.loss_size / 3.0 if op.role is Role.LOSS else size
        forward = forward + vector_time(c.rates, c.tokens / _vector_cut(op, c) * op.elements, moved)
    backward = 2.0 * forward
    if c.rates.quantized:
        cast = c.rates.quantize_size
        routed = [] if layer.experts is None else [(m, layer.experts.top_k / c.g.tp) for m in layer.experts.matmuls]
        for m, share in [*((m, 1.0 / c.g.tp) for m in layer.matmuls if not m.high), *routed]:
            forward = forward + vector_time(c.rates, c.tokens * share * m.k, cast)
            backward = backward + vector_time(c.rates, c.tokens * share * m.n, cast)
    return forward, backward


def _vector_cut(op: Vector, c: Context) -> Array:
    return c.g.tp if op.cut == "tensor" else c.sequence_cut


def _attention(kinds: tuple[tuple[float, AttentionOp], ...], c: Context) -> tuple[Array, Array]:
    forward: Array = np.asarray(0.0)
    backward: Array = np.asarray(0.0)
    for share, a, sample in ((share * part, a, sample) for share, a in kinds for sample, part in c.job.samples):
        whole = np.where(c.g.among("cp_kind", "ring"), sample / c.g.cp, sample)
        # A kernel that slides a window sees no more than the window: 6 to 8 % of peak for 128 tokens (cuDNN 9.22).
        length = np.minimum(whole, a.window) if a.window else whole
        flops = share * c.tokens / c.g.tp
        work = flops * a.flops(sample, c.job.causal)
        fused, fused_back = attention_time(c.rates, work, length, np.greater(a.qk_dim, a.v_dim))
        if np.all(c.g.flash_attention):
            forward, backward = forward + fused, backward + fused_back
            continue
        passes = np.where(_falls_back(a, c), PLAIN_PASSES, SCORE_PASSES)
        scores = share * c.tokens / c.g.tp * (a.num_heads * c.job.seq_len) * passes
        aligned = np.where(np.equal(np.mod(a.qk_dim, ALIGNMENT), 0), 1.0, UNALIGNED)
        plain = flops * a.flops(c.job.seq_len, False) / (c.rates.high.peak * aligned) + vector_time(
            c.rates, scores, c.rates.high.size
        )
        forward = forward + np.where(c.g.flash_attention, fused, plain)
        backward = backward + np.where(c.g.flash_attention, fused_back, 2.0 * plain)
    return forward, backward


def _scans(scans: tuple[Recurrence, ...], c: Context) -> tuple[Array, Array]:
    """Chunks of a linear recurrence are small matmuls: at the rate of attention over one chunk (Yang et al. 2024).

    Checked: 50 runs of Nemotron 3 Nano and Super, none of which sets a constant (docs/models.md).
    """
    flops = c.tokens / c.g.tp * sum(s.flops(c.job.causal) for s in scans)
    return attention_time(c.rates, flops, np.asarray(float(SCAN_CHUNK)))


def _state_communication(scans: tuple[Recurrence, ...], c: Context) -> Array:
    """Context parallelism hands the state at the end of each rank's tokens to the next rank, in fp32."""
    state = sum(s.num_heads * s.key_dim * s.value_dim for s in scans) * STATE_SIZE * c.g.micro_batch_size / c.g.tp
    return (c.g.cp - 1.0) * c.network.send(context_group(c.g), state)


def _falls_back(a: AttentionOp, c: Context) -> Array:
    """Return where the softmax of attention that is not fused cannot use its fused kernel."""
    if np.all(c.g.flash_attention):
        return np.asarray(False)
    odd = np.not_equal(np.mod(c.g.micro_batch_size * a.num_heads, SOFTMAX_BATCHES * c.g.tp), 0)
    falls_back: Array = ~c.g.flash_attention & odd
    return falls_back


def _spread_experts(experts: ExpertOps, c: Context) -> Array:
    """Return the seconds in which the ranks that share an expert gather its tokens."""
    size = experts.top_k * sent_width(experts, c) * c.job.precision.activation_size
    return c.network.all_gather(expert_tensor_group(c.g), c.tokens / c.g.tp * size * c.g.etp)


def sent_width(experts: ExpertOps, c: Context) -> float:
    """Return the elements of a token's copy that cross to an expert, on average: those that compute nothing get none."""
    return (experts.width or c.job.model.hidden_size) * experts.computing


def _context_communication(kinds: tuple[tuple[float, AttentionOp], ...], c: Context) -> tuple[Array, Array]:
    """Ring: keys and values travel round, beside the attention of the block before. Ulysses: all_to_all, exposed.

    All_gather: keys and values of all ranks at once, and a reduce_scatter of their gradients.
    """
    zero: Array = np.asarray(0.0)
    if not kinds:
        return zero, zero
    attention, attention_back = c.once(_attention, kinds)
    size, group = c.job.precision.activation_size, context_group(c.g)
    a = kinds[0][1]  # the kinds of one layer have the same heads
    key_value_size, out = a.num_key_value_heads * (a.qk_dim + a.v_dim), a.num_heads * a.v_dim
    keys = c.tokens * (key_value_size * size) / np.minimum(c.g.tp, a.num_key_value_heads)
    ring = (c.g.cp - 1.0) * c.network.send(group, keys)
    behind = (c.g.cp - 1.0) / c.g.cp
    ring_forward = c.hide(ring, attention * behind, np.asarray(True))
    ring_backward = c.hide(2.0 * ring, attention_back * behind, np.asarray(True))
    moved = c.tokens / c.g.tp * ((a.num_heads * a.qk_dim + key_value_size + out) * size)
    ulysses = c.network.all_to_all(group, moved)
    gathered = c.network.all_gather(group, keys * c.g.cp)
    other = np.where(c.g.among("cp_kind", "ulysses"), ulysses, gathered)
    is_ring = c.g.among("cp_kind", "ring")
    return np.where(is_ring, ring_forward, other), np.where(is_ring, ring_backward, other)


def _expert_communication(experts: ExpertOps | None, c: Context) -> tuple[Array, Array]:
    """Dispatch to the experts and combine their answers, and the same for the gradients."""
    if experts is None:
        return np.asarray(0.0), np.asarray(0.0)
    precision, k = c.job.precision, experts.top_k
    routed = c.tokens / c.g.tp * (k * sent_width(experts, c)) * c.imbalance
    group, routing = expert_group(c.g), experts.routing
    once = c.g.among("ep_kind", "deduplicated")
    there = c.network.dispatch(group, routed * precision.dispatch_size, k, routing, once)
    back = c.network.dispatch(group, routed * precision.activation_size, k, routing, once)
    return there + back, 2.0 * back


def _recompute(forward: Array, cheap: Array, attention: Array, c: Context) -> Array:
    """Full: the forward pass once more. Selective: vector ops, MLA's expansions, and the scores where attention is not fused."""
    selective = cheap + np.where(c.g.flash_attention, 0.0, attention)
    again = np.where(c.g.among("recompute", "selective"), selective, 0.0)
    again = np.where(c.g.among("recompute", "full"), forward, again)
    return again * c.g.recompute_layers
