"""ms-swift: the YAML of ``swift sft``, ``swift pt`` and ``swift rlhf``, the file of DeepSpeed beside it, and a launcher.

Names and limits: modelscope/ms-swift 3602360a (August 2026), ``swift/arguments``, ``swift/trainers/arguments.py`` and
``swift/cli/main.py``. Its Megatron part (``megatron sft``) is :mod:`tianji.exporters.frameworks.megatron_swift`.
"""

from __future__ import annotations

from tianji.exporters.contract import Limits, Refusal, Target
from tianji.exporters.formats.arguments import Argument, Artefact, Tree
from tianji.exporters.frameworks.trainer_files import (
    ABILITIES,
    REFUSALS,
    SCALE,
    SPACE,
    TASKS,
    model_argument,
    name_targets,
    note_runtime,
    step_arguments,
    write_files,
)
from tianji.exporters.plan_facts.hosts import count_hosts
from tianji.parallel.plan import Plan

DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
HEADS: dict[str, Tree] = {
    "reward": (Argument("rlhf_type", "rm", "a head of one output"),),
    "embedding": (Argument("task_type", "embedding", "no head"), Argument("loss_type", "infonce", "yours to choose")),
}
"""What puts another head in place of the logits."""
OWN_REFUSALS = (
    Refusal(
        lambda s, plan: s.cp > 1 and s.cp_kind != "ulysses",
        "cp_kind={s.cp_kind}: its sequence parallelism is Ulysses (take --fix cp_kind=ulysses)",
    ),
    Refusal(
        lambda s, plan: s.zero == 0 and plan.job.task.trains_all and plan.job.precision.linear != "fp32",
        "zero=0 with all weights trained: without DeepSpeed its weights and moments are of 16 bits alone (take --fix zero=1)",
    ),
    Refusal(
        lambda s, plan: bool(plan.job.sample_lengths) and not s.flash_attention,
        "packed samples without fused attention: it packs for FlashAttention alone",
    ),
    Refusal(
        lambda s, plan: plan.job.task.name in HEADS and bool(plan.job.sample_lengths),
        "packed samples of a reward or embedding model: the files written here pack for pt and sft",
    ),
)


def write(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the configuration, DeepSpeed's file, the launcher and the table of ranks."""
    limits.apply((*REFUSALS, *OWN_REFUSALS), plan)
    ABILITIES.apply(plan, limits)
    hosts = count_hosts(plan, limits)
    note_runtime(plan, limits)
    tree = (
        model_argument("model", plan),
        Argument("torch_dtype", DTYPES.get(plan.job.precision.linear, "bfloat16")),
        Argument("attn_impl", _attention(plan)),
        *HEADS.get(plan.job.task.name, ()),
        *_tuner(plan, limits),
        *_data(plan),
        *step_arguments(plan, limits),
        Argument("gradient_checkpointing", plan.strategy.recompute == "full"),
        Argument("use_liger_kernel", plan.job.precision.loss == "chunked"),
        *([Argument("sequence_parallel_size", plan.strategy.cp, "Ulysses")] if plan.strategy.cp > 1 else []),
    )
    verb = {"pretrain": "pt", "reward": "rlhf"}.get(plan.job.task.name, "sft")
    if plan.job.task.name in HEADS:
        limits.note(
            "A pair of texts is two sequences of the plan's micro-batch: halve per_device_train_batch_size for pairs."
        )
    return write_files(plan, limits, hosts, tree, rules="swift", title="ms-swift", call=f"swift {verb}")


def _attention(plan: Plan) -> str:
    if not plan.strategy.flash_attention:
        return "eager"
    return "flash_attention_2" if plan.job.sample_lengths else "sdpa"


def _tuner(plan: Plan, limits: Limits) -> Tree:
    task = plan.job.task
    if not task.adapter_rank:
        return (Argument("tuner_type", "full"),)
    bits = (Argument("quant_method", "bnb"), Argument("quant_bits", 4, "the frozen base"))
    return (
        Argument("tuner_type", "lora"),
        Argument("lora_rank", task.adapter_rank),
        Argument("lora_alpha", SCALE * task.adapter_rank, "yours to choose: it scales the adapters"),
        Argument("target_modules", name_targets(plan, limits) or ["all-linear"], "matrices with an adapter"),
        *(bits if task.name == "qlora" else ()),
    )


def _data(plan: Plan) -> Tree:
    job = plan.job
    packing = Argument("packing", True, "samples fill sequences and do not see each other, as priced")
    if not job.sample_lengths:
        packing = Argument("packing", False, "the plan counts samples of the whole length; shorter ones are faster")
    return (
        Argument("dataset", "FILL-IN", "FILL IN: a dataset, by name or path"),
        Argument("max_length", job.seq_len, "tokens of a sequence"),
        packing,
    )


TARGET = Target(
    "swift",
    "YAML, DeepSpeed's file and launcher for ms-swift",
    write,
    space={**SPACE, "cp_kind": ("ulysses",)},
    tasks=(*TASKS, *HEADS),
)
