"""Sharding, recomputation, attention and offloading as options of Megatron's family."""

from __future__ import annotations

from tianji.exporters.contract import Limits
from tianji.exporters.formats.arguments import Argument, Tree
from tianji.exporters.megatron_family.dialect import Dialect
from tianji.exporters.plan_facts.abilities import named_modules
from tianji.exporters.plan_facts.layers import recomputed_layers
from tianji.parallel.plan import Plan


def memory_arguments(plan: Plan, limits: Limits, dialect: Dialect) -> Tree:
    """Return the options of sharding, recomputation, attention and offloading."""
    s = plan.strategy
    return (
        *(_sharding(plan, limits) if s.zero else ()),
        *_recomputation(plan, limits, dialect),
        *dialect.attention[s.flash_attention],
        *dialect.offload(plan),
    )


def _sharding(plan: Plan, limits: Limits) -> Tree:
    s, ranks = plan.strategy, plan.strategy.cp * plan.strategy.dp
    arguments = [Argument("--use-distributed-optimizer", None, "ZeRO-1")]
    if s.zero > 1:
        if s.pp > 1:
            each = "reduces the gradients" if s.zero == 2 else "gathers the weights anew"
            limits.note(f"Megatron-FSDP under pipelining {each} for each micro-batch, as priced.")
        kind = "optim_grads" if s.zero == 2 else "optim_grads_params"
        arguments += [
            Argument("--use-megatron-fsdp"),
            Argument("--data-parallel-sharding-strategy", kind, f"ZeRO-{s.zero}"),
            Argument("--no-gradient-accumulation-fusion", None, "the sharded gradients have no fused buffer"),
        ]
    if 0 < s.zero_group < ranks:
        groups = Argument(
            "--num-distributed-optimizer-instances", ranks // s.zero_group, f"groups of {s.zero_group} ranks"
        )
        arguments.append(groups)
    return tuple(arguments)


def _recomputation(plan: Plan, limits: Limits, dialect: Dialect) -> Tree:
    s = plan.strategy
    if s.recompute == "none" or s.recompute_layers == 0:
        return ()
    if s.recompute == "selective":
        return _selective(plan, limits, dialect)
    layers = recomputed_layers(plan, limits)
    method, number = ("uniform", 1) if layers is None else ("block", layers)
    comment = "every layer by itself" if layers is None else "of each chunk"
    return (
        Argument("--recompute-granularity", "full"),
        Argument("--recompute-method", method),
        Argument("--recompute-num-layers", number, comment),
    )


def _selective(plan: Plan, limits: Limits, dialect: Dialect) -> Tree:
    """Return what drops the cheap outputs: of norms and activations, or the scores where attention is not fused."""
    model, modules = plan.job.model, named_modules(plan)
    if plan.strategy.recompute_modules:
        return dialect.modules(modules) if modules else ()
    granularity = Argument("--recompute-granularity", "selective")
    if not plan.strategy.flash_attention:
        return (granularity, Argument("--recompute-modules", ["core_attn"], "the scores"))
    if dialect.cheap_outputs:
        return dialect.cheap_outputs
    if model.num_dense_layers:
        limits.note(
            "Selective recomputation of a dense layer drops the outputs of its norms only, in the plan those of its"
            " activation function too: it needs a little more memory than predicted."
        )
    cheap = ["layernorm", *(["moe_act"] if model.moe else [])]
    return (granularity, Argument("--recompute-modules", cheap, "the cheap outputs"))
