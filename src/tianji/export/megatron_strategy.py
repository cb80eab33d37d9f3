"""The strategy as options of Megatron-LM and of MindSpeed-LLM, which differs in a few."""

from __future__ import annotations

from tianji.export.arguments import Argument, Limits, Tree
from tianji.export.layers import deal_layers, is_even, recomputed_layers, spell_layout
from tianji.parallel.plan import Plan


def degree_arguments(plan: Plan, limits: Limits, is_mindspeed: bool) -> Tree:
    """Return the options of the degrees and of the order of ranks."""
    s = plan.strategy
    found = [
        Argument("--tensor-model-parallel-size", s.tp),
        Argument("--pipeline-model-parallel-size", s.pp),
        *_chunks(plan, limits, is_mindspeed),
        Argument("--context-parallel-size", s.cp),
        *_context_kind(plan, is_mindspeed),
    ]
    if plan.job.model.moe:
        found.append(Argument("--expert-model-parallel-size", s.ep))
        found.append(Argument("--expert-tensor-parallel-size", s.etp))
    if s.sequence_parallel and s.tp > 1:
        found.append(Argument("--sequence-parallel"))
    if s.placement == "pp-inside":
        found.append(Argument("--use-tp-pp-dp-mapping", None, "pipeline ranks beside the tensor group, data outermost"))
    return tuple(found)


def _chunks(plan: Plan, limits: Limits, is_mindspeed: bool) -> list[Argument]:
    s, model = plan.strategy, plan.job.model
    if s.schedule not in ("1f1b", "interleaved") and s.pp > 1:
        nearest = "its dualpipev is another schedule" if s.schedule == "dualpipe" and is_mindspeed else "it runs 1F1B"
        limits.refuse(f"schedule={s.schedule}: {nearest} (take --fix schedule=1f1b or interleaved)")
    if s.pp == 1 or is_even(plan):
        if s.vpp == 1:
            return []
        per = model.num_layers // (s.pp * s.vpp)
        comment = f"{s.vpp} chunks on each pipeline rank"
        return [Argument("--num-layers-per-virtual-pipeline-stage", per, comment)]
    if is_mindspeed and s.vpp > 1:
        limits.refuse(f"vpp={s.vpp} of {model.num_layers} layers on pp={s.pp}: its chunks hold equally many layers")
        return []
    if is_mindspeed:
        counts = ",".join(str(sum(chunks)) for chunks in deal_layers(plan))
        return [Argument("--num-layer-list", counts, "layers of each stage")]
    return [Argument("--pipeline-model-parallel-layout", spell_layout(plan), "E embedding, t layer, L loss, | next")]


def _context_kind(plan: Plan, is_mindspeed: bool) -> list[Argument]:
    if plan.strategy.cp == 1:
        return []
    is_ring = plan.strategy.cp_kind == "ring"
    if is_mindspeed:
        return [Argument("--context-parallel-algo", "megatron_cp_algo" if is_ring else "ulysses_cp_algo")]
    return [Argument("--cp-comm-type", "p2p" if is_ring else "a2a", "ring" if is_ring else "Ulysses")]


def memory_arguments(plan: Plan, limits: Limits, is_mindspeed: bool) -> Tree:
    """Return the options of sharding, recomputation, attention and offloading."""
    s = plan.strategy
    found = [*_sharding(plan, limits, is_mindspeed), *_recomputation(plan, limits, is_mindspeed)]
    if is_mindspeed:
        found += [Argument("--use-flash-attn")] if s.flash_attention else []
    else:
        found.append(Argument("--attention-backend", "flash" if s.flash_attention else "unfused"))
    if s.offload_optimizer:
        if s.zero == 0:
            limits.refuse("offload_optimizer with zero=0: it offloads the state of the distributed optimizer only")
        offload = Argument("--optimizer-cpu-offload", None, "all of the optimizer's state in host memory")
        fraction = Argument("--optimizer-offload-fraction", 1.0)
        found += [Argument("--swap-optimizer")] if is_mindspeed else [offload, fraction]
    return tuple(found)


def _sharding(plan: Plan, limits: Limits, is_mindspeed: bool) -> list[Argument]:
    s = plan.strategy
    if s.zero == 0:
        return []
    found = [Argument("--use-distributed-optimizer", None, "ZeRO-1")]
    if s.zero > 1:
        if is_mindspeed:
            limits.refuse(f"zero={s.zero}: its Megatron back end shards the optimizer only (take --fix zero=1)")
        if s.pp > 1:
            each = "reduces the gradients" if s.zero == 2 else "gathers the weights anew"
            limits.note(f"Megatron-FSDP under pipelining {each} for each micro-batch, as priced.")
        kind = "optim_grads" if s.zero == 2 else "optim_grads_params"
        found += [
            Argument("--use-megatron-fsdp"),
            Argument("--data-parallel-sharding-strategy", kind, f"ZeRO-{s.zero}"),
            Argument("--no-gradient-accumulation-fusion", None, "the sharded gradients have no fused buffer"),
        ]
    ranks = s.cp * s.dp
    if 0 < s.zero_group < ranks:
        count = ranks // s.zero_group
        if s.zero > 1:
            limits.refuse(
                f"zero_group={s.zero_group} with zero={s.zero}: its hybrid sharding repeats the optimizer too"
            )
        found.append(Argument("--num-distributed-optimizer-instances", count, f"groups of {s.zero_group} ranks"))
    return found


def _recomputation(plan: Plan, limits: Limits, is_mindspeed: bool) -> list[Argument]:
    s = plan.strategy
    if s.recompute == "none" or s.recompute_layers == 0:
        return []
    if s.recompute == "selective":
        if s.recompute_layers != 1:
            limits.refuse(f"selective recomputation of {s.recompute_layers:.0%} of the layers: it takes all of them")
        return _selective(plan, limits, is_mindspeed)
    count = recomputed_layers(plan, limits)
    method, number = ("uniform", 1) if count is None else ("block", count)
    comment = "every layer by itself" if count is None else "of each chunk"
    return [
        Argument("--recompute-granularity", "full"),
        Argument("--recompute-method", method),
        Argument("--recompute-num-layers", number, comment),
    ]


def _selective(plan: Plan, limits: Limits, is_mindspeed: bool) -> list[Argument]:
    """Return what drops the cheap outputs: of norms and activations, or the scores where attention is not fused."""
    model = plan.job.model
    granularity = Argument("--recompute-granularity", "selective")
    if not plan.strategy.flash_attention:
        return [granularity, Argument("--recompute-modules", ["core_attn"], "the scores")]
    if is_mindspeed:
        return [
            Argument("--recompute-norm", None, "drop the outputs of the norms"),
            Argument("--recompute-activation-function", None, "and of the activation function"),
        ]
    if model.num_dense_layers:
        limits.note(
            "Selective recomputation of a dense layer drops the outputs of its norms only, in the plan those of its"
            " activation function too: it needs a little more memory than predicted."
        )
    modules = ["layernorm", *(["moe_act"] if model.moe else [])]
    return [granularity, Argument("--recompute-modules", modules, "the cheap outputs")]


def overlap_arguments(plan: Plan, limits: Limits, is_mindspeed: bool) -> Tree:
    """Return the options of what runs beside the computation."""
    s = plan.strategy
    found: list[Argument] = []
    if s.zero in (1, 2) and s.weight_gather == "broadcasts":
        limits.refuse("weight_gather=broadcasts: it gathers weights from all ranks at once")
    if s.overlap_dp:
        found.append(Argument("--overlap-grad-reduce"))
        if s.zero and s.weight_gather == "hidden":
            found.append(Argument("--overlap-param-gather"))
    if s.overlap_tp and s.tp > 1:
        if not s.sequence_parallel:
            limits.refuse("overlap_tp without sequence_parallel: it overlaps the gather and scatter of sequences")
        found.append(Argument("--use-ascend-mc2" if is_mindspeed else "--tp-comm-overlap", None, "matmuls in pieces"))
    if s.pp > 1 and not s.overlap_pp:
        found.append(Argument("--no-overlap-p2p-communication"))
    if s.pp > 1 and s.overlap_pp and s.vpp == 1:
        limits.note(
            "Without interleaving it sends activations between stages without overlap; the plan counts overlap."
        )
    if s.overlap_ep and s.ep > 1:
        found += _expert_overlap(plan, limits, is_mindspeed)
    return tuple(found)


def _expert_overlap(plan: Plan, limits: Limits, is_mindspeed: bool) -> list[Argument]:
    s = plan.strategy
    if s.pp > 1 and s.vpp == 1:
        limits.refuse("overlap_ep in a pipeline without interleaving: it needs vpp above 1")
    if s.recompute == "full" and s.recompute_layers and not is_mindspeed:
        limits.refuse("overlap_ep with full recomputation: it takes one or the other")
    if is_mindspeed:
        if s.etp > 1:
            limits.refuse("overlap_ep with etp above 1: its overlap needs whole experts")
        if s.overlap_dp:
            limits.refuse("overlap_ep with overlap_dp: its --moe-fb-overlap excludes --overlap-grad-reduce")
        return [Argument("--moe-fb-overlap", None, "experts' exchange beside another micro-batch")]
    return [Argument("--overlap-moe-expert-parallel-comm", None, "beside another micro-batch")]
