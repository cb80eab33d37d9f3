"""MindSpeed-LLM on Ascend chips: one launch script.

Option names and limits: Ascend/MindSpeed 028de58c (July 2026) and MindSpeed-LLM c77308a1 (August 2026), on Megatron-LM's. The
limits are what their ``validate_args`` check before the first step: ``transformer_engine_basic.py`` (fp8),
``transformer_block.py`` (MC2, lists of layers), ``fb_overlap.py``, ``context_parallel_feature.py``.
"""

from __future__ import annotations

from tianji.exporters.contract import Limits, Refusal, Target
from tianji.exporters.formats.arguments import Argument, Artefact, Tree
from tianji.exporters.megatron_family.adapters import tuning_arguments
from tianji.exporters.megatron_family.dialect import Dialect
from tianji.exporters.megatron_family.mathematics import scale_by_mindspeed
from tianji.exporters.megatron_family.refusals import PIPELINES
from tianji.exporters.megatron_family.script import write_launch
from tianji.exporters.plan_facts.abilities import Abilities, always
from tianji.exporters.plan_facts.experts import note_expert_copies
from tianji.exporters.plan_facts.layers import hold_stages, is_even
from tianji.parallel.plan import Plan
from tianji.workload import Job

ASCEND_ONLY = Refusal(
    lambda s, plan: plan.pool.chip.ecosystem != "cann",
    "MindSpeed-LLM drives Ascend chips only (take --to megatron)",
)


NORMS = Argument("--recompute-norm", None, "drop the outputs of the norms")
ACTIVATIONS = Argument("--recompute-activation-function", None, "drop the outputs of the activation function")
MODULE_OPTIONS: dict[frozenset[str], Tree] = {
    frozenset({"layernorm"}): (NORMS,),
    **dict.fromkeys((frozenset({"mlp_act"}), frozenset({"mlp_act", "moe_act"})), (ACTIVATIONS,)),
    **dict.fromkeys(
        (frozenset({"layernorm", "mlp_act"}), frozenset({"layernorm", "mlp_act", "moe_act"})), (NORMS, ACTIVATIONS)
    ),
}
"""Modules that it has switches for; its activation function is that of experts too."""


def _stage_list(plan: Plan) -> Argument:
    stages = hold_stages(plan)
    if plan.strategy.vpp > 1 or any(stages.modules[:-1]) or 0 in stages.layers:
        return Argument("--pipeline-model-parallel-layout", str(stages), "E embedding, t layer, L loss, | next")
    return Argument("--num-layer-list", ",".join(map(str, stages.layers)), "layers of each stage")


def _narrow_space(job: Job) -> dict[str, tuple[bool, ...]]:
    """Return what a job leaves of the space: MC2 takes no experts and no formats of 8 bits."""
    return {"overlap_tp": (False,)} if job.model.moe or job.precision.linear == "fp8" else {}


MINDSPEED = Dialect(
    name="MindSpeed-LLM",
    script="pretrain_mindspeed.sh",
    implementation=(Argument("--use-mcore-models"), Argument("--transformer-impl", "local")),
    narrow_implementation=(Argument("--use-mcore-models"), Argument("--transformer-impl", "transformer_engine")),
    tokenizer=(
        Argument("--tokenizer-type", "PretrainedFromHF"),
        Argument("--tokenizer-name-or-path", "${TOKENIZER_MODEL}"),
    ),
    checkpoint_format="torch",
    backend_comment="MindSpeed maps it to HCCL",
    uneven_stages=_stage_list,
    dispatch={
        "all_to_all": (Argument("--moe-token-dispatcher-type", "alltoall"),),
        "deduplicated": (Argument("--moe-token-dispatcher-type", "alltoall"),),
    },
    context={
        "ring": Argument("--context-parallel-algo", "megatron_cp_algo"),
        "ulysses": Argument("--context-parallel-algo", "ulysses_cp_algo"),
        "all_gather": Argument("--context-parallel-algo", "kvallgather_cp_algo"),
    },
    attention={True: (Argument("--use-flash-attn"),), False: ()},
    offload=lambda plan: (Argument("--swap-optimizer"),) if plan.strategy.offload_optimizer else (),
    cheap_outputs=(NORMS, ACTIVATIONS),
    modules=lambda modules: MODULE_OPTIONS.get(frozenset(modules), ()),
    overlap_tp=Argument("--use-ascend-mc2", None, "matmuls in pieces"),
    overlap_ep=Argument("--moe-fb-overlap", None, "experts' exchange beside another micro-batch"),
    rope_scaling=scale_by_mindspeed,
    rules="mindspeed",
    fp8_formats={"hif8": "hif8"},
    moments={"fp8": (Argument("--quant-states", "fp8", "Adam's moments"),)},
    cuts_experts=False,
    fuses_attention=False,
    marks=(
        "--use-ascend-mc2", "--use-ascend-coc", "--context-parallel-algo", "--use-fused-rmsnorm", "--swap-optimizer",
        "--moe-fb-overlap", "--num-layer-list", "--tokenizer-name-or-path", "--moe-tp-extend-ep", "--noop-layers",
        "--use-fused-swiglu", "variable NPUS_PER_NODE",
    ),
    losses={"plain": (), "fused": (Argument("--cross-entropy-loss-fusion"),)},
    main_weights={"fp32": (), "reused": (Argument("--reuse-fp32-param", None, "bf16 weights in the upper halves of fp32"),)},
    abilities=Abilities(
        optimizer=lambda plan: plan.strategy.zero == 1, updates=("chip",), overlap=always,
        why_activations="its --swap-attention moves the attention's part of every layer, which is another plan",
        modules=lambda modules: frozenset(modules) in MODULE_OPTIONS, main_weights=("fp32", "reused"), losses=("plain", "fused"),
    ),
    refusals=(
        Refusal(
            lambda s, plan: s.pp > 1 and s.schedule == "dualpipe",
            "schedule=dualpipe: it has the V-shaped form alone (take --fix schedule=dualpipev, 1f1b or interleaved)",
        ),
        Refusal(
            lambda s, plan: s.pp > 1 and s.schedule not in (*PIPELINES, "dualpipe", "dualpipev"),
            "schedule={s.schedule}: it runs 1F1B (take --fix schedule=1f1b or interleaved)",
        ),
        Refusal(
            lambda s, plan: s.pp > 1 and s.schedule == "dualpipev" and not is_even(plan),
            "schedule=dualpipev of {model.num_layers} layers on pp={s.pp}: its chunks hold equally many layers",
        ),
        Refusal(
            lambda s, plan: s.zero > 1,
            "zero={s.zero}: its Megatron back end shards the optimizer only (take --fix zero=1)",
        ),
        Refusal(
            lambda s, plan: s.overlap_ep and s.ep > 1 and s.vpp > 1 and plan.num_microbatches < 2 * s.pp,
            "overlap_ep with {plan.num_microbatches} micro-batches on pp={s.pp}: its overlap needs two for each stage",
        ),
        Refusal(
            lambda s, plan: s.cp > 1 and s.cp_kind == "all_gather" and plan.job.seq_len % (2 * s.cp) > 0,
            "cp={s.cp}: it cuts sequences of {job.seq_len} tokens into twice as many equal parts",
        ),
    ),
    tuning=tuning_arguments,
    tuning_program="posttrain_gpt.py",
)  # fmt: skip


def write(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the launch script and the table of ranks."""
    limits.apply([ASCEND_ONLY], plan)
    note_expert_copies(plan, limits)
    return write_launch(plan, limits, MINDSPEED)


TARGET = Target(
    "mindspeed",
    "launch script for MindSpeed-LLM (Ascend)",
    write,
    space={"schedule": PIPELINES, "zero": (0, 1), "ep_kind": ("all_to_all",)},
    narrow_space=_narrow_space,
    tasks=("pretrain", "sft", "lora"),
    other_tasks={"qlora": "MindSpeed-LLM c77308a1 has no base weights of 4 bits (take --task lora)"},
)
