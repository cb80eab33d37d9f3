"""NeMo: a recipe in Python for Megatron Bridge, NeMo's training on Megatron-Core.

Names of fields: Megatron Bridge 0.3.1 with Megatron-Core 0.16. The recipe is made from the very options that
:mod:`tianji.export.megatron` writes, under the names that they have in Python.
"""

from __future__ import annotations

import ast

from tianji.export.arguments import Argument, Artefact, Limits, Tree, Value
from tianji.export.documents import comment_lines
from tianji.export.environments import collective_environment
from tianji.export.hosts import count_hosts, rank_table
from tianji.export.launch_models import read_pattern
from tianji.export.launchers import host_needs, torchrun_section
from tianji.export.megatron_model import model_arguments
from tianji.export.megatron_precision import precision_arguments
from tianji.export.megatron_strategy import degree_arguments, memory_arguments, overlap_arguments
from tianji.export.quoting import clean_comment
from tianji.export.shells import spread, write_script
from tianji.export.summary import describe_plan
from tianji.parallel.plan import Plan

OWNERS: dict[str, str] = {
    **dict.fromkeys(("use-distributed-optimizer", "use-megatron-fsdp", "data-parallel-sharding-strategy"), "ddp"),
    **dict.fromkeys(("num-distributed-optimizer-instances", "overlap-grad-reduce", "overlap-param-gather"), "ddp"),
    **dict.fromkeys(("optimizer-cpu-offload", "optimizer-offload-fraction"), "optimizer"),
    **dict.fromkeys(("use-precision-aware-optimizer", "exp-avg-dtype", "exp-avg-sq-dtype"), "optimizer"),
    "use-tp-pp-dp-mapping": "dist",
}
"""Options that are not fields of the model."""

RENAMED: dict[str, tuple[str, Value]] = {
    "disable-bias-linear": ("add_bias_linear", False),
    "untie-embeddings-and-output-weights": ("share_embeddings_and_output_weights", False),
    "no-overlap-p2p-communication": ("overlap_p2p_comm", False),
    "no-gradient-accumulation-fusion": ("gradient_accumulation_fusion", False),
    "swiglu": ("gated_linear_unit", True),
}
"""Switches with another name or sense in Python."""

FIELDS = {"num-experts": "num_moe_experts", "use-tp-pp-dp-mapping": "use_tp_pp_dp_mapping"}
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


def write_nemo(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the recipe, its launcher and the table of ranks."""
    if plan.pool.chip.ecosystem != "cuda":
        limits.refuse("NeMo drives NVIDIA chips only")
    recipe = RECIPES.get(plan.job.precision.name)
    if recipe is None:
        limits.refuse(f"precision {plan.job.precision.name}: its recipes are {', '.join(RECIPES)}")
    if plan.job.precision.linear == "fp16" and plan.job.precision.gradient_size == 4.0:
        limits.note(
            "fp16_mixed reduces gradients as the recipe says; grad_reduce_in_fp32 is set as the plan counts them."
        )
    hosts = count_hosts(plan, limits)
    body = _assignments(plan, limits)
    limits.check()
    facts = describe_plan(plan, limits)
    title = "Recipe for NeMo's Megatron Bridge, written by Tianji: torchrun ... nemo_recipe.py"
    text = comment_lines(title, "", *facts) + _recipe(plan, body, recipe or "")
    section = torchrun_section(hosts)
    call = ["torchrun", spread(section), "nemo_recipe.py"]
    title = "Launcher for the NeMo recipe, written by Tianji. Start it on every node, in this folder."
    environment = collective_environment(plan)
    script = write_script("run_nemo.sh", title, facts, host_needs(hosts), environment, [section], call)
    return [Artefact("nemo_recipe.py", text), script, Artefact("ranks.tsv", rank_table(plan, limits))]


def _assignments(plan: Plan, limits: Limits) -> list[str]:
    options: Tree = (
        *model_arguments(plan.job, limits),
        *degree_arguments(plan, limits, is_mindspeed=False),
        *memory_arguments(plan, limits, is_mindspeed=False),
        *overlap_arguments(plan, limits, is_mindspeed=False),
        *(a for a in precision_arguments(plan, limits, is_mindspeed=False) if a.name[2:] in OWNERS),
    )
    lines = [line for option in options if (line := _assign(option))]
    s = plan.strategy
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
    return f"{target}.{field} = {_spell(name, value)}{comment}"


def _spell(name: str, value: Value) -> str:
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


def _recipe(plan: Plan, body: list[str], recipe: str) -> str:
    job, s = plan.job, plan.strategy
    kind = "MLAModelProvider" if job.model.mla else "GPTModelProvider"
    module = "mla_provider" if job.model.mla else "gpt_provider"
    steps = (
        str(max(round(job.tokens / job.tokens_per_step), 1))
        if job.tokens
        else "1000  # FILL IN: the plan states no tokens"
    )
    overlap = f"CommOverlapConfig(tp_comm_overlap={s.overlap_tp and s.tp > 1})"
    sizes = [line for line in body if line.startswith("model.")]
    others = [line for line in body if not line.startswith("model.")]
    first = ("num_layers", "hidden_size", "num_attention_heads")
    given = ", ".join(f"{n}={getattr(job.model, n)}" for n in first)
    lines = [
        "import torch",
        "from megatron.core.transformer.enums import AttnBackend",
        f"from megatron.bridge.models.{module} import {kind}",
        "from megatron.bridge.recipes.common import _pretrain_common",
        "from megatron.bridge.training.comm_overlap import CommOverlapConfig",
        "from megatron.bridge.training.config import ConfigContainer",
        "from megatron.bridge.training.gpt_step import forward_step",
        "from megatron.bridge.training.mixed_precision import get_mixed_precision_config",
        "from megatron.bridge.training.pretrain import pretrain",
        "",
        "",
        "def recipe() -> ConfigContainer:",
        "    cfg = _pretrain_common()",
        f"    model = {kind}({given})",
        *(f"    {line}" for line in sizes),
        "    cfg.model = model",
        *(f"    {line}" for line in others),
        f"    cfg.comm_overlap = {overlap}",
        f"    cfg.mixed_precision = get_mixed_precision_config({recipe!r})",
        f"    cfg.mixed_precision.grad_reduce_in_fp32 = {job.precision.gradient_size == 4.0}",
        f"    cfg.train.micro_batch_size = {s.micro_batch_size}",
        f"    cfg.train.global_batch_size = {job.global_batch_size}  # {plan.num_microbatches} micro-batches on each replica",
        f"    cfg.train.train_iters = {steps}",
        f"    cfg.dataset.seq_length = {job.seq_len}",
        "    cfg.dataset.blend = None  # FILL IN: ([paths of tokenised data], [weights]); None trains on mock data",
        '    cfg.tokenizer.tokenizer_type = "NullTokenizer"  # FILL IN: your tokenizer',
        f"    cfg.tokenizer.vocab_size = {job.model.vocab_size}",
        '    cfg.checkpoint.save = "checkpoints"  # FILL IN: folder for checkpoints',
        "    return cfg",
        "",
        "",
        'if __name__ == "__main__":',
        "    pretrain(config=recipe(), forward_step_func=forward_step)",
    ]
    return "\n".join(lines) + "\n"
