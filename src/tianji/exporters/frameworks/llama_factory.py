"""LLaMA-Factory: its YAML, the file of DeepSpeed beside it, and a launcher.

Names and limits: hiyouga/LLaMA-Factory ff6d4d12 (August 2026), ``src/llamafactory/hparams``, ``launcher.py`` and
``model/model_utils/quantization.py``.
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

OWN_REFUSALS = (
    Refusal(lambda s, plan: s.cp > 1, "cp={s.cp}: its Trainer cuts no sequences (take --fix cp=1)"),
    Refusal(
        lambda s, plan: plan.job.task.name == "reward" and bool(plan.job.sample_lengths),
        "packed samples of a reward model: it packs for pt and sft alone",
    ),
)


def write(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the configuration, DeepSpeed's file, the launcher and the table of ranks."""
    limits.apply((*REFUSALS, *OWN_REFUSALS), plan)
    ABILITIES.apply(plan, limits)
    hosts = count_hosts(plan, limits)
    note_runtime(plan, limits)
    if plan.strategy.zero == 0 and plan.job.task.trains_all:
        limits.note(
            "Without DeepSpeed it keeps fp32 weights and casts them; the plan counts a bf16 copy beside a master."
        )
    tree = (
        model_argument("model_name_or_path", plan),
        *_quantization(plan),
        Argument("flash_attn", "auto" if plan.strategy.flash_attention else "disabled"),
        *_method(plan, limits),
        *_data(plan),
        *step_arguments(plan, limits),
        *_runtime(plan),
    )
    own = (Argument("FORCE_TORCHRUN", 1),)
    return write_files(
        plan, limits, hosts, tree, rules="llama_factory", title="LLaMA-Factory", call="llamafactory-cli train", own=own
    )


def _quantization(plan: Plan) -> Tree:
    if plan.job.task.name != "qlora":
        return ()
    return (
        Argument("quantization_bit", 4, "the frozen base"),
        Argument("quantization_method", "bnb"),
        Argument("quantization_type", "nf4"),
        Argument("double_quantization", True),
    )


def _method(plan: Plan, limits: Limits) -> Tree:
    task = plan.job.task
    stage = Argument("stage", {"pretrain": "pt", "reward": "rm"}.get(task.name, "sft"))
    if task.name == "reward":
        limits.note(
            "A pair of answers is two sequences of the plan's micro-batch: halve per_device_train_batch_size for pairs."
        )
    if not task.adapter_rank:
        return (stage, Argument("do_train", True), Argument("finetuning_type", "full"))
    return (
        stage,
        Argument("do_train", True),
        Argument("finetuning_type", "lora"),
        Argument("lora_rank", task.adapter_rank),
        Argument("lora_alpha", SCALE * task.adapter_rank, "yours to choose: it scales the adapters"),
        Argument("lora_target", ",".join(name_targets(plan, limits)) or "all", "matrices with an adapter"),
    )


def _data(plan: Plan) -> Tree:
    job = plan.job
    apart = bool(job.sample_lengths) and job.task.name != "pretrain"
    comment = (
        "samples fill sequences, as priced"
        if not apart
        else "samples fill sequences and do not see each other, as priced"
    )
    return (
        Argument("dataset", "FILL-IN", "FILL IN: a dataset of data/dataset_info.json"),
        *([Argument("template", "FILL-IN", "FILL IN: the template of the model")] if job.task.name != "pretrain" else []),
        Argument("cutoff_len", job.seq_len, "tokens of a sequence"),
        Argument("packing", job.task.name != "reward", comment if job.task.name != "reward" else ""),
        *([Argument("neat_packing", True)] if apart else []),
    )  # fmt: skip


def _runtime(plan: Plan) -> Tree:
    p, s = plan.job.precision, plan.strategy
    formats = {"bf16": [Argument("bf16", True)], "fp16": [Argument("fp16", True)]}
    return (
        *formats.get(p.linear, []),
        Argument("disable_gradient_checkpointing", s.recompute == "none"),
        Argument(
            "enable_liger_kernel", p.loss == "chunked", "its loss writes no logits" if p.loss == "chunked" else ""
        ),
        Argument("ddp_timeout", 180000000),
    )


TARGET = Target(
    "llama-factory",
    "YAML, DeepSpeed's file and launcher for LLaMA-Factory",
    write,
    space={**SPACE, "cp": (1,)},
    tasks=(*TASKS, "reward"),
)
