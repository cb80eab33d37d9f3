"""Low-rank adapters as frameworks of Megatron's family name them: the matrices that get one, the rank and its scale."""

from __future__ import annotations

from tianji.exporters.contract import Limits
from tianji.exporters.formats.arguments import Argument, Tree
from tianji.parallel.plan import Plan

MATRICES = {"qkv": ["linear_qkv"], "proj": ["linear_proj"], "mlp": ["linear_fc1", "linear_fc2"]}
"""Names of Megatron-Core; experts have those of an MLP."""
LATENT = ["linear_q_down_proj", "linear_q_up_proj", "linear_kv_down_proj", "linear_kv_up_proj"]
"""What makes queries, keys and values in latent attention."""
SCALE = 2
"""Alpha over rank, as published scripts have it (MindSpeed-LLM examples/mcore/qwen3/tune_*_lora_ptd.sh); it changes no speed."""


def name_matrices(plan: Plan, limits: Limits) -> list[str]:
    """Return the names of the matrices that get adapters.

    Experts share the names of MLPs, so adapters of one without the other are refused where a model has both.
    """
    model, targets = plan.job.model, plan.job.task.adapter_targets
    wants_mlp, wants_experts = "mlp" in targets, "experts" in targets
    moe = model.moe
    has_mlp = moe is None or model.num_dense_layers > 0 or moe.shared_intermediate_size > 0
    if moe is not None and has_mlp and wants_mlp != wants_experts:
        limits.refuse(
            "adapters on mlp or on experts alone: linear_fc1 and linear_fc2 are the names of both (take --lora-targets with both)"
        )
    is_mlp = (wants_mlp and has_mlp) or (wants_experts and moe is not None)
    names = list(LATENT if model.mla else MATRICES["qkv"]) if "qkv" in targets else []
    if model.mla and not model.mla.q_lora_rank and names:
        names = ["linear_q_proj", *names[2:]]
    return [*names, *(MATRICES["proj"] if "proj" in targets else []), *(MATRICES["mlp"] if is_mlp else [])]


def tuning_arguments(plan: Plan, limits: Limits) -> Tree:
    """Return MindSpeed-LLM's options of a run that trains adapters; none for other tasks."""
    task = plan.job.task
    if not task.adapter_rank:
        return ()
    if plan.job.model.mla:
        limits.refuse("adapters on latent attention: its projections have no names in the options written here")
    limits.note("Base weights are loaded from CHECKPOINT_PATH; the plan counts them frozen. The data are instructions.")
    return (
        Argument("--finetune"),
        Argument("--stage", "sft"),
        Argument("--is-instruction-dataset"),
        Argument("--lora-r", task.adapter_rank),
        Argument("--lora-alpha", SCALE * task.adapter_rank, "yours to choose: it scales the adapters"),
        Argument("--lora-target-modules", [*name_matrices(plan, limits)], "matrices with an adapter"),
    )
