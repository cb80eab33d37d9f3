"""Megatron-LM on NVIDIA chips: one launch script.

Option names: NVIDIA/Megatron-LM d98e8a64 (August 2026).
"""

from __future__ import annotations

from tianji.exporters.contract import Limits, Refusal, Target
from tianji.exporters.formats.arguments import Argument, Artefact, Tree
from tianji.exporters.megatron_family.dialect import Dialect
from tianji.exporters.megatron_family.mathematics import scale_by_megatron
from tianji.exporters.megatron_family.refusals import PIPELINES
from tianji.exporters.megatron_family.script import write_launch
from tianji.exporters.plan_facts.abilities import Abilities, always
from tianji.exporters.plan_facts.layers import hold_stages
from tianji.parallel.plan import Plan
from tianji.workload.task import ADAPTED

NO_ASCEND = Refusal(
    lambda s, plan: plan.pool.chip.ecosystem == "cann",
    "Megatron-LM drives no Ascend chips by itself (take --to mindspeed)",
)


MODULES_BY_NAME = ("core_attn", "layernorm", "mla_up_proj", "moe_act", "mlp", "moe", "shared_experts")
"""What ``--recompute-modules`` lists."""


def _offloads_layers(plan: Plan) -> bool:
    s, layers = plan.strategy, plan.strategy.offload_activations * plan.job.model.num_layers
    return s.pp == 1 and s.recompute == "none" and abs(layers - round(layers)) < 1e-6


def _offload(plan: Plan) -> Tree:
    s = plan.strategy
    layers = round(s.offload_activations * plan.job.model.num_layers)
    optimizer = (
        Argument("--use-precision-aware-optimizer", None, "offloading goes through the optimizer that knows dtypes"),
        Argument("--optimizer-cpu-offload", None, "the optimizer's state in host memory"),
        Argument("--optimizer-offload-fraction", s.offload_optimizer),
        *([Argument("--overlap-cpu-optimizer-d2h-h2d", None, "copies beside the update")] if s.offload_overlap else []),
    )
    return (
        *(optimizer if s.offload_optimizer else ()),
        *([Argument("--cpu-offloading-num-layers", layers, "layers whose activations wait there")] if layers else []),
    )


MEGATRON = Dialect(
    name="Megatron-LM",
    script="pretrain_megatron.sh",
    implementation=(Argument("--transformer-impl", "transformer_engine"),),
    narrow_implementation=(Argument("--transformer-impl", "transformer_engine"),),
    tokenizer=(
        Argument("--tokenizer-type", "HuggingFaceTokenizer"),
        Argument("--tokenizer-model", "${TOKENIZER_MODEL}"),
    ),
    checkpoint_format="torch_dist",
    backend_comment="",
    uneven_stages=lambda plan: Argument(
        "--pipeline-model-parallel-layout", str(hold_stages(plan)), "E embedding, t layer, L loss, | next"
    ),
    dispatch={
        "all_to_all": (Argument("--moe-token-dispatcher-type", "alltoall"),),
        "deduplicated": (
            Argument("--moe-token-dispatcher-type", "flex", "each token crosses to a node once"),
            Argument("--moe-flex-dispatcher-backend", "deepep"),
            Argument("--moe-router-dtype", "fp32", "which DeepEP needs"),
        ),
    },
    context={
        "ring": Argument("--cp-comm-type", "p2p", "ring"),
        "ulysses": Argument("--cp-comm-type", "a2a", "Ulysses"),
        "all_gather": Argument("--cp-comm-type", "all_gather", "keys and values gathered"),
    },
    attention={
        True: (Argument("--attention-backend", "flash"),),
        False: (Argument("--attention-backend", "unfused"),),
    },
    offload=_offload,
    cheap_outputs=(),
    modules=lambda modules: (
        Argument("--recompute-granularity", "selective"),
        Argument("--recompute-modules", list(modules)),
    ),
    overlap_tp=Argument("--tp-comm-overlap", None, "matmuls in pieces"),
    overlap_ep=Argument("--overlap-moe-expert-parallel-comm", None, "beside another micro-batch"),
    rope_scaling=scale_by_megatron,
    rules="megatron",
    fp8_formats={},
    moments={
        dtype: (
            Argument("--use-precision-aware-optimizer"),
            Argument("--exp-avg-dtype", dtype, "Adam's moments"),
            Argument("--exp-avg-sq-dtype", dtype),
        )
        for dtype in ("bf16", "fp8")
    },
    cuts_experts=True,
    fuses_attention=True,
    marks=(),
    losses={
        "plain": (),
        "fused": (Argument("--cross-entropy-loss-fusion"), Argument("--cross-entropy-fusion-impl", "native")),
        "in-place": (Argument("--cross-entropy-loss-fusion"), Argument("--cross-entropy-fusion-impl", "te")),
    },
    main_weights={"fp32": ()},
    abilities=Abilities(
        optimizer=always,
        fraction=always,
        overlap=always,
        activations=_offloads_layers,
        why_activations="it offloads whole layers, without a pipeline and without recomputation",
        modules=lambda modules: set(modules) <= set(MODULES_BY_NAME),
        losses=("plain", "fused", "in-place"),
    ),
    refusals=(
        Refusal(
            lambda s, plan: s.pp > 1 and s.schedule not in PIPELINES,
            "schedule={s.schedule}: it runs 1F1B (take --fix schedule=1f1b or interleaved)",
        ),
        Refusal(
            lambda s, plan: plan.job.precision.name == "hif8",
            "precision hif8: it has no recipe for it (take --precision fp8)",
        ),
    ),
    knows_patterns=True,
)


def write(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the launch script and the table of ranks."""
    limits.apply([NO_ASCEND], plan)
    return write_launch(plan, limits, MEGATRON)


TARGET = Target(
    "megatron",
    "launch script for Megatron-LM (NVIDIA)",
    write,
    space={"schedule": PIPELINES, "zero": (0, 1, 2, 3), "recompute": ("none", "selective", "full")},
    # Of the cheap outputs it has no option for the activations of a dense MLP.
    implied={("recompute", "selective"): {"recompute_modules": "layernorm+moe_act"}},
    other_tasks=dict.fromkeys(
        ADAPTED, "Megatron-LM d98e8a64 trains no adapters (take --to nemo, or --to mindspeed on Ascend)"
    ),
)
