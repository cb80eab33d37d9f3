"""NeMo: a recipe in Python for Megatron Bridge, NeMo's training on Megatron-Core.

Names of fields: Megatron Bridge 0.3.1 with Megatron-Core 0.16; of adapters, Megatron Bridge 067f987d (August 2026). The recipe is
made from the very options that :mod:`tianji.exporters.megatron_family` writes, under the names that they have in Python.
"""

from __future__ import annotations

import ast
from dataclasses import replace

from tianji.exporters.contract import Limits, Refusal, Target
from tianji.exporters.formats.arguments import Argument, Artefact, Tree, Value
from tianji.exporters.formats.layer_patterns import read_pattern
from tianji.exporters.formats.quoting import clean_comment
from tianji.exporters.formats.serialize import comment_lines
from tianji.exporters.formats.shell_scripts import spread, write_script
from tianji.exporters.frameworks.megatron import MEGATRON
from tianji.exporters.megatron_family.adapters import SCALE, name_matrices
from tianji.exporters.megatron_family.degrees import degree_arguments
from tianji.exporters.megatron_family.memory import memory_arguments
from tianji.exporters.megatron_family.model import model_arguments
from tianji.exporters.megatron_family.overlap import overlap_arguments
from tianji.exporters.megatron_family.parser_rules import ask_parser
from tianji.exporters.megatron_family.precision import precision_arguments
from tianji.exporters.megatron_family.refusals import FAMILY_REFUSALS, PIPELINES
from tianji.exporters.plan_facts.environments import collective_environment
from tianji.exporters.plan_facts.header import header_lines
from tianji.exporters.plan_facts.hosts import count_hosts, rank_table
from tianji.exporters.plan_facts.torchrun_options import host_needs, torchrun_group
from tianji.parallel.plan import Plan

OWNERS: dict[str, str] = {
    **dict.fromkeys(("use-distributed-optimizer", "use-megatron-fsdp", "data-parallel-sharding-strategy"), "ddp"),
    **dict.fromkeys(("num-distributed-optimizer-instances", "overlap-grad-reduce", "overlap-param-gather"), "ddp"),
    **dict.fromkeys(
        ("optimizer-cpu-offload", "optimizer-offload-fraction", "overlap-cpu-optimizer-d2h-h2d"), "optimizer"
    ),
    **dict.fromkeys(("use-precision-aware-optimizer", "exp-avg-dtype", "exp-avg-sq-dtype"), "optimizer"),
    **dict.fromkeys(("cross-entropy-loss-fusion", "cross-entropy-fusion-impl"), "model"),
    "use-tp-pp-dp-mapping": "dist",
}
"""Options that are not fields of the model."""

RENAMED: dict[str, tuple[str, Value]] = {
    "disable-bias-linear": ("add_bias_linear", False),
    "untie-embeddings-and-output-weights": ("share_embeddings_and_output_weights", False),
    "no-overlap-p2p-communication": ("overlap_p2p_comm", False),
    "no-gradient-accumulation-fusion": ("gradient_accumulation_fusion", False),
    "swiglu": ("gated_linear_unit", True),
    "use-rope-scaling": ("rope_scaling", True),
}
"""Switches with another name or sense in Python."""

FIELDS = {
    "norm-epsilon": "layernorm_epsilon",
    "yarn-original-max-position-embeddings": "original_max_position_embeddings",
    "yarn-beta-fast": "beta_fast",
    "yarn-beta-slow": "beta_slow",
    "num-experts": "num_moe_experts",
    "use-tp-pp-dp-mapping": "use_tp_pp_dp_mapping",
}
LEFT_OUT = frozenset(
    (
        "group-query-attention",
        "multi-latent-attention",
        "max-position-embeddings",
        "num-layers-per-virtual-pipeline-stage",
    )
)
"""Options that another field or the class of the model says already."""

DTYPES = {"fp32": "torch.float32", "bf16": "torch.bfloat16", "fp8": "torch.uint8"}
RECIPES = {
    "bf16": "bf16_mixed",
    "fp16": "fp16_mixed",
    "fp8": "bf16_with_fp8_current_scaling_mixed",
    "fp8-block": "bf16_with_fp8_subchannel_scaling_mixed",
    "mxfp8": "bf16_with_mxfp8_mixed",
    "fp4": "bf16_with_nvfp4_mixed",
}


BRIDGE = replace(MEGATRON, name="Megatron Bridge 0.3.1", knows_patterns=False)
REFUSALS = (
    Refusal(lambda s, plan: plan.pool.chip.ecosystem != "cuda", "NeMo drives NVIDIA chips only"),
    Refusal(
        lambda s, plan: plan.job.precision.name not in RECIPES,
        f"precision {{p.name}}: its recipes are {', '.join(RECIPES)}",
    ),
    *FAMILY_REFUSALS,
    *MEGATRON.refusals,
)


def write(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the recipe, its launcher and the table of ranks."""
    limits.apply(REFUSALS, plan)
    MEGATRON.abilities.apply(plan, limits)
    if plan.job.precision.linear == "fp16" and plan.job.precision.gradient_size == 4.0:
        limits.note(
            "fp16_mixed reduces gradients as the recipe says; grad_reduce_in_fp32 is set as the plan counts them."
        )
    hosts = count_hosts(plan, limits)
    body = _assignments(plan, limits)
    names = name_matrices(plan, limits) if plan.job.task.adapter_rank else []
    limits.check()
    facts = header_lines(plan, limits)
    title = "Recipe for NeMo's Megatron Bridge, written by Tianji: torchrun ... nemo_recipe.py"
    text = comment_lines(title, "", *facts) + _recipe(plan, body, names, *limits.save_steps)
    section = torchrun_group(hosts)
    call = ["torchrun", spread(section), "nemo_recipe.py"]
    title = "Launcher for the NeMo recipe, written by Tianji. Start it on every node, in this folder."
    environment = collective_environment(plan)
    script = write_script("run_nemo.sh", title, facts, host_needs(hosts), environment, [section], call)
    return [Artefact("nemo_recipe.py", text), script, Artefact("ranks.tsv", rank_table(plan, limits))]


def _assignments(plan: Plan, limits: Limits) -> list[str]:
    options: Tree = (
        *model_arguments(plan, limits, BRIDGE),
        *degree_arguments(plan, MEGATRON),
        *memory_arguments(plan, limits, MEGATRON),
        *overlap_arguments(plan, limits, MEGATRON),
        *(a for a in precision_arguments(plan, limits, MEGATRON) if a.name[2:] in OWNERS),
    )
    ask_parser(options, limits, MEGATRON)
    lines = [line for option in options if (line := _assign(option))]
    s = plan.strategy
    if s.offload_activations:
        lines.append("model.cpu_offloading = True")
    if s.vpp > 1:
        lines.append(f"model.virtual_pipeline_model_parallel_size = {s.vpp}")
    if s.pp > 1:
        lines.append("model.pipeline_dtype = torch.bfloat16")
    if plan.job.model.gated_mlp:
        lines.append("model.activation_func = torch.nn.functional.silu")
    return lines


def _assign(option: Argument) -> str:
    name = option.name[2:]
    if name in LEFT_OUT:
        return ""
    owner = OWNERS.get(name, "model")
    target = "model" if owner == "model" else f"cfg.{owner}"
    field, value = RENAMED.get(
        name, (FIELDS.get(name, name.replace("-", "_")), True if option.value is None else option.value)
    )
    comment = f"  # {clean_comment(option.comment)}" if option.comment else ""
    return f"{target}.{field} = {_literal(name, value)}{comment}"


def _literal(name: str, value: Value) -> str:
    text = str(value)
    if name in ("exp-avg-dtype", "exp-avg-sq-dtype"):
        return DTYPES[text]
    if name == "attention-backend":
        return f"AttnBackend.{text}"
    if name in ("moe-layer-freq", "window-attn-skip-freq") and "[" in text:
        read_pattern(text, name)
        return ast.unparse(ast.parse(text, mode="eval"))
    if name == "window-size":
        return f"({', '.join(text.split(','))})"
    return repr(value)


def _recipe(plan: Plan, body: list[str], names: list[str], save_every: int, why: str) -> str:
    job, s = plan.job, plan.strategy
    kind = "MLAModelProvider" if job.model.mla else "GPTModelProvider"
    module = "mla_provider" if job.model.mla else "gpt_provider"
    steps = (
        str(max(round(job.tokens / job.tokens_per_step), 1))
        if job.tokens
        else "1000  # FILL IN: the plan states no tokens"
    )
    overlap = f"CommOverlapConfig(tp_comm_overlap={plan.hides_tensor_links})"
    sizes = [line for line in body if line.startswith("model.")]
    others = [line for line in body if not line.startswith("model.")]
    first = ("num_layers", "hidden_size", "num_attention_heads")
    given = ", ".join(f"{n}={getattr(job.model, n)}" for n in first)
    task = job.task
    common = "_peft_common" if task.adapter_rank else "_pretrain_common"
    run = "finetune" if task.adapter_rank else "pretrain"
    lines = [
        "import torch",
        "from megatron.core.transformer.enums import AttnBackend",
        f"from megatron.bridge.models.{module} import {kind}",
        *(["from megatron.bridge.peft.lora import LoRA"] if task.adapter_rank else []),
        f"from megatron.bridge.recipes.common import {common}",
        "from megatron.bridge.training.comm_overlap import CommOverlapConfig",
        "from megatron.bridge.training.config import ConfigContainer",
        "from megatron.bridge.training.gpt_step import forward_step",
        "from megatron.bridge.training.mixed_precision import get_mixed_precision_config",
        f"from megatron.bridge.training.{run} import {run}",
        "",
        "",
        "def recipe() -> ConfigContainer:",
        f"    cfg = {common}()",
        f"    model = {kind}({given})",
        *(f"    {line}" for line in sizes),
        "    cfg.model = model",
        *(f"    {line}" for line in others),
        *_adapters(plan, names),
        f"    cfg.comm_overlap = {overlap}",
        f"    cfg.mixed_precision = get_mixed_precision_config({RECIPES[job.precision.name]!r})",
        f"    cfg.mixed_precision.grad_reduce_in_fp32 = {job.precision.gradient_size == 4.0}",
        f"    cfg.train.micro_batch_size = {s.micro_batch_size}",
        f"    cfg.train.global_batch_size = {job.global_batch_size}  # {plan.num_microbatches} micro-batches on each replica",
        f"    cfg.train.train_iters = {steps}",
        f"    cfg.dataset.seq_length = {job.seq_len}",
        "    cfg.dataset.blend = None  # FILL IN: ([paths of tokenised data], [weights]); None trains on mock data",
        '    cfg.tokenizer.tokenizer_type = "NullTokenizer"  # FILL IN: your tokenizer',
        f"    cfg.tokenizer.vocab_size = {job.model.vocab_size}",
        '    cfg.checkpoint.save = "checkpoints"  # FILL IN: folder for checkpoints',
        f"    cfg.checkpoint.save_interval = {save_every}  # {why}",
        "    return cfg",
        "",
        "",
        'if __name__ == "__main__":',
        f"    {run}(config=recipe(), forward_step_func=forward_step)",
    ]
    return "\n".join(lines) + "\n"


def _adapters(plan: Plan, names: list[str]) -> list[str]:
    """Return the lines that put adapters on frozen weights; experts have one each, as the plan counts them."""
    rank = plan.job.task.adapter_rank
    if not rank:
        return []
    own = ", share_expert_adapters=False" if {"linear_fc1"} & set(names) and plan.job.model.moe else ""
    return [
        f"    cfg.peft = LoRA(target_modules={names!r}, dim={rank}, alpha={SCALE * rank}{own})",
        '    cfg.checkpoint.pretrained_checkpoint = "base"  # FILL IN: folder of the base model, in Megatron Bridge\'s format',
    ]


TARGET = Target(
    "nemo",
    "recipe for NeMo's Megatron Bridge, and its launcher",
    write,
    space={"schedule": PIPELINES, "zero": (0, 1, 2, 3)},
    tasks=("pretrain", "sft", "lora"),
    other_tasks={"qlora": "Megatron Bridge has no base weights of 4 bits (take --task lora)"},
)
