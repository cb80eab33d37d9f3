"""MindSpeed-LLM on Ascend chips: one launch script.

Option names and limits: Ascend/MindSpeed 028de58c (July 2026) and MindSpeed-LLM c77308a1 (August 2026), on Megatron-LM's. The
limits are what their ``validate_args`` check before the first step: ``transformer_engine_basic.py`` (fp8),
``transformer_block.py`` (MC2, lists of layers), ``fb_overlap.py``, ``context_parallel_feature.py``.
"""

from __future__ import annotations

from tianji.exporters.contract import Limits, Refusal, Target
from tianji.exporters.formats.arguments import Argument, Artefact
from tianji.exporters.megatron_family.dialect import Dialect
from tianji.exporters.megatron_family.precision import narrow_recipe
from tianji.exporters.megatron_family.refusals import PIPELINES
from tianji.exporters.megatron_family.script import write_launch
from tianji.exporters.plan_facts.experts import note_expert_copies
from tianji.exporters.plan_facts.layers import deal_layers, is_even
from tianji.parallel.plan import Plan
from tianji.workload import Job

ASCEND_ONLY = Refusal(
    lambda s, plan: plan.pool.chip.ecosystem != "cann",
    "MindSpeed-LLM drives Ascend chips only (take --to megatron)",
)


def _stage_list(plan: Plan) -> Argument:
    counts = ",".join(str(sum(chunks)) for chunks in deal_layers(plan))
    return Argument("--num-layer-list", counts, "layers of each stage")


def _recipe(job: Job) -> str:
    """Return the scaling of a job's fp8 layers; empty without fp8."""
    return narrow_recipe(job.precision) if job.precision.linear == "fp8" else ""


def _narrow_space(job: Job) -> dict[str, tuple[bool, ...]]:
    """Return what a job leaves of the space: MC2 takes no experts, and mxfp8 only of the formats of 8 bits."""
    return {"overlap_tp": (False,)} if job.model.moe or _recipe(job) not in ("", "mxfp8") else {}


def _overlaps_experts(plan: Plan) -> bool:
    return plan.strategy.overlap_ep and plan.strategy.ep > 1


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
    offload=(Argument("--swap-optimizer"),),
    cheap_outputs=(
        Argument("--recompute-norm", None, "drop the outputs of the norms"),
        Argument("--recompute-activation-function", None, "and of the activation function"),
    ),
    overlap_tp=Argument("--use-ascend-mc2", None, "matmuls in pieces"),
    overlap_ep=Argument("--moe-fb-overlap", None, "experts' exchange beside another micro-batch"),
    has_narrow_moments=False,
    cuts_experts=False,
    fuses_attention=False,
    marks=(
        "--use-ascend-mc2", "--use-ascend-coc", "--context-parallel-algo", "--use-fused-rmsnorm", "--swap-optimizer",
        "--moe-fb-overlap", "--num-layer-list", "--tokenizer-name-or-path", "--moe-tp-extend-ep", "--noop-layers",
        "--use-fused-swiglu", "variable NPUS_PER_NODE",
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
            lambda s, plan: s.pp > 1 and s.vpp > 1 and not is_even(plan),
            "vpp={s.vpp} of {model.num_layers} layers on pp={s.pp}: its chunks hold equally many layers",
        ),
        Refusal(
            lambda s, plan: s.zero > 1,
            "zero={s.zero}: its Megatron back end shards the optimizer only (take --fix zero=1)",
        ),
        Refusal(
            lambda s, plan: _overlaps_experts(plan) and s.etp > 1,
            "overlap_ep with etp above 1: its overlap needs whole experts",
        ),
        Refusal(
            lambda s, plan: _overlaps_experts(plan) and s.overlap_dp,
            "overlap_ep with overlap_dp: its --moe-fb-overlap excludes --overlap-grad-reduce",
        ),
        Refusal(
            lambda s, plan: s.overlap_ep and s.ep > 1 and s.vpp > 1 and plan.num_microbatches < 2 * s.pp,
            "overlap_ep with {plan.num_microbatches} micro-batches on pp={s.pp}: its overlap needs two for each stage",
        ),
        Refusal(
            lambda s, plan: s.overlap_tp and s.tp > 1 and plan.job.model.moe is not None,
            "overlap_tp of a model with experts: its MC2 excludes grouped matmuls (take --fix overlap_tp=off)",
        ),
        Refusal(
            lambda s, plan: s.overlap_tp and s.tp > 1 and _recipe(plan.job) not in ("", "mxfp8"),
            "overlap_tp with precision {p.name}: its MC2 takes mxfp8 only (take --fix overlap_tp=off)",
        ),
        Refusal(
            lambda s, plan: plan.job.model.moe is not None and _recipe(plan.job) == "blockwise",
            "precision {p.name} of a model with experts: its grouped matmuls stay in bf16 (take --precision mxfp8)",
        ),
        Refusal(
            lambda s, plan: s.cp > 1 and s.cp_kind == "all_gather" and plan.job.seq_len % (2 * s.cp) > 0,
            "cp={s.cp}: it cuts sequences of {job.seq_len} tokens into twice as many equal parts",
        ),
        Refusal(
            lambda s, plan: plan.job.precision.linear == "fp4",
            "precision fp4: it has no fp4 recipe (take --precision mxfp8)",
        ),
    ),
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
)
