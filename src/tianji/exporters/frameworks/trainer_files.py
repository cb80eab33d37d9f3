"""Hugging Face's Trainer with DeepSpeed, as LLaMA-Factory and ms-swift start it: its JSON, its limits, names of matrices.

The Trainer fills "auto" in DeepSpeed's file from its own arguments and stops where numbers differ (transformers,
``integrations/deepspeed.py``), so that batch sizes stand in one place alone.
"""

from __future__ import annotations

from tianji.exporters.contract import Limits, Refusal
from tianji.exporters.formats.arguments import Argument, Artefact, Tree
from tianji.exporters.formats.serialize import comment_lines, to_json, to_yaml
from tianji.exporters.formats.shell_scripts import write_script
from tianji.exporters.frameworks.deepspeed import PRECISIONS, zero_arguments
from tianji.exporters.plan_facts.abilities import ANY_LOSS, Abilities, always
from tianji.exporters.plan_facts.asked_rules import ask_rules
from tianji.exporters.plan_facts.environments import collective_environment
from tianji.exporters.plan_facts.header import header_lines
from tianji.exporters.plan_facts.hosts import HostLayout, rank_table
from tianji.exporters.plan_facts.torchrun_options import PORT, host_needs
from tianji.parallel.plan import Plan
from tianji.workload.task import TARGETS

DEEPSPEED_FILE = "ds_config.json"
TASKS = ("pretrain", "sft", "lora", "qlora")
SCALE = 2
"""Alpha over rank; it changes no speed."""
SPACE = {
    "zero": (0, 1, 2, 3), "zero_kind": ("buckets",), "tp": (1,), "pp": (1,), "ep": (1,), "etp": (1,), "overlap_tp": (False,),
    "recompute": ("none", "full"), "weight_gather": ("exposed",), "ep_kind": ("all_to_all",),
}  # fmt: skip
"""What the Trainer has of the fields that a search varies."""
ABILITIES = Abilities(
    optimizer=always, weights=lambda plan: plan.strategy.zero == 3, zero_kinds=("buckets",), losses=ANY_LOSS
)
REFUSALS = (
    Refusal(lambda s, plan: s.tp > 1 or s.pp > 1, "tp={s.tp}, pp={s.pp}: the Trainer cuts no tensors and has no pipeline"),
    Refusal(lambda s, plan: s.ep > 1 or s.etp > 1, "ep={s.ep}, etp={s.etp}: experts lie whole on each rank"),
    Refusal(
        lambda s, plan: s.recompute != "none" and (s.recompute == "selective" or s.recompute_layers != 1),
        "recompute={s.recompute} of {s.recompute_layers:.0%} of the layers: it recomputes all of them in full, or none",
    ),
    Refusal(
        lambda s, plan: s.zero in (1, 2) and s.overlap_dp and s.weight_gather != "exposed",
        "weight_gather={s.weight_gather}: DeepSpeed gathers updated weights before the next pass (take weight_gather=exposed)",
    ),
    Refusal(
        lambda s, plan: s.zero == 0 and s.cp * s.dp > 1 and not s.overlap_dp,
        "overlap_dp=off with zero=0: PyTorch reduces gradients beside the backward pass",
    ),
    Refusal(lambda s, plan: s.zero_group > 0 and s.zero_group < s.cp * s.dp, "zero_group={s.zero_group}: it has no groups"),
    Refusal(
        lambda s, plan: s.offload_optimizer > 0 and s.zero == 0, "offload_optimizer with zero=0: it offloads sharded state"
    ),
    Refusal(
        lambda s, plan: plan.job.precision.name not in PRECISIONS, "precision {p.name}: it has bf16, fp16 and fp32"
    ),
    Refusal(
        lambda s, plan: plan.job.precision.optimizer_size != (8.0 if plan.job.precision.linear == "fp32" else 12.0),
        "{p.optimizer_size:g} bytes of optimizer state for a parameter: it keeps fp32",
    ),
    Refusal(
        lambda s, plan: plan.job.precision.loss not in ("torch", "chunked"),
        "loss {p.loss}: its loss is PyTorch's, or Liger's in chunks (plan with --loss-kernel torch or chunked)",
    ),
)  # fmt: skip

PLAIN = (
    "llama", "mistral", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "deepseek_v2", "deepseek_v3", "kimi_k2", "glm4_moe", "gemma2",
)  # fmt: skip
"""Families whose matrices have the names below; those of others are not known here."""
ATTENTION = ("q_proj", "k_proj", "v_proj")
LATENT = ("q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj")
MLP = ("gate_proj", "up_proj", "down_proj")


def name_targets(plan: Plan, limits: Limits) -> list[str]:
    """Return the names of the matrices that get adapters; none for all linear layers but the head.

    Experts and MLPs share names, so adapters of one without the other are refused where a model has both.
    """
    model, targets = plan.job.model, plan.job.task.adapter_targets
    has_mlp = model.moe is None or model.num_dense_layers > 0 or model.moe.shared_intermediate_size > 0
    present = [t for t in TARGETS if not (t == "experts" and model.moe is None) and not (t == "mlp" and not has_mlp)]
    if set(present) <= set(targets):
        return []
    if model.family not in PLAIN:
        limits.refuse(
            f"adapters on {', '.join(targets)}: names of the matrices of {model.family} (take --lora-targets all)"
        )
    if {"mlp", "experts"} <= set(present) and ("mlp" in targets) != ("experts" in targets):
        limits.refuse("adapters on mlp or on experts alone: both have the same names (take --lora-targets with both)")
    attention = LATENT if model.mla and model.mla.q_lora_rank else ("q_proj", *LATENT[2:]) if model.mla else ATTENTION
    names = [*(attention if "qkv" in targets else ()), *(("o_proj",) if "proj" in targets else ())]
    return [*names, *(MLP if {"mlp", "experts"} & set(targets) & set(present) else ())]


def note_runtime(plan: Plan, limits: Limits) -> None:
    """Say what the Trainer does otherwise than a plan counts, without becoming another plan."""
    s, job = plan.strategy, plan.job
    if s.zero > 1 and job.precision.linear != "fp32" and job.precision.gradient_size < 6.0:
        limits.note(
            "DeepSpeed keeps a 16-bit gradient beside its fp32 sum: 2 bytes more for each trained parameter of a rank than the"
            " plan counts (--gradient-dtype both counts them)."
        )
    if job.model.moe is not None:
        limits.note(
            "The plan counts the experts of a rank as one multiplication, which transformers does from release 5 on; before it"
            " runs them one by one, under ZeRO-3 up to twenty times as long."
        )
    if job.task.adapter_rank and "experts" in job.task.adapter_targets and job.model.moe is not None:
        limits.note(
            "From transformers 5 on the experts of a layer are one parameter: name it as a target of its own there."
        )


def deepspeed_files(plan: Plan) -> list[Artefact]:
    """Return DeepSpeed's file, where the state is sharded."""
    if not plan.strategy.zero:
        return []
    p = plan.job.precision
    arguments = [
        Argument("train_batch_size", "auto"),
        Argument("train_micro_batch_size_per_gpu", "auto"),
        Argument("gradient_accumulation_steps", "auto"),
        Argument("gradient_clipping", "auto"),
        Argument("zero_allow_untested_optimizer", True),
        Argument("bf16", (Argument("enabled", p.linear == "bf16"),)),
        Argument("fp16", (Argument("enabled", p.linear == "fp16"),)),
        Argument("zero_optimization", zero_arguments(plan)),
    ]
    return [Artefact(DEEPSPEED_FILE, to_json(tuple(arguments)))]


def model_argument(name: str, plan: Plan) -> Argument:
    """Return the option that names the model."""
    return Argument(name, f"./models/{plan.job.model.name}", "FILL IN: folder or name of the model on Hugging Face")


def step_arguments(plan: Plan, limits: Limits) -> Tree:
    """Return the arguments of the Trainer that both stacks share: batch, length of the run, checkpoints."""
    job, s = plan.job, plan.strategy
    steps = max(round(job.tokens / job.tokens_per_step), 1) if job.tokens else 1000
    length = f"{job.tokens:.4g} tokens" if job.tokens else "FILL IN: the plan states no tokens"
    every, why = limits.save_steps
    return (
        Argument("per_device_train_batch_size", s.micro_batch_size, "sequences of a micro-batch"),
        Argument("gradient_accumulation_steps", plan.num_microbatches, f"{job.global_batch_size} sequences a step"),
        Argument("max_steps", steps, length),
        Argument("learning_rate", 1e-4 if job.task.adapter_rank else 1e-5, "yours to choose: it says nothing about speed"),
        Argument("output_dir", "./output"),
        Argument("logging_steps", 1),
        Argument("save_steps", every, why),
        *([Argument("deepspeed", DEEPSPEED_FILE, f"ZeRO-{s.zero}")] if s.zero else []),
    )  # fmt: skip


def launch_environment(hosts: HostLayout) -> Tree:
    """Return the variables by which both stacks start one process on each chip."""
    return (
        Argument("NPROC_PER_NODE", hosts.per_node, "chips of a node"),
        Argument("NNODES", hosts.nodes),
        Argument("NODE_RANK", "${NODE_RANK}"),
        Argument("MASTER_ADDR", "${MASTER_ADDR}"),
        Argument("MASTER_PORT", PORT),
    )


def write_files(
    plan: Plan, limits: Limits, hosts: HostLayout, tree: Tree, *, rules: str, title: str, call: str, own: Tree = ()
) -> list[Artefact]:
    """Return the configuration, DeepSpeed's file, the launcher and the table of ranks.

    ``rules`` names the framework in the tables of rules and the files, ``call`` is the command before the configuration's name,
    ``own`` what the framework's launcher reads of the environment besides. Raises what the rules refuse.
    """
    ask_rules(rules, tree, plan, limits)
    limits.check()
    facts, file = header_lines(plan, limits), f"{rules}.yaml"
    header = comment_lines(f"{title} configuration, written by Tianji.", "", *facts) + "\n"
    environment = (*collective_environment(plan), *own, *launch_environment(hosts))
    says = f"Launcher for {title}, written by Tianji. Start it on every node, in this folder."
    script = write_script(f"run_{rules}.sh", says, facts, host_needs(hosts), environment, [], [call, file])
    ranks = Artefact("ranks.tsv", rank_table(plan, limits))
    return [Artefact(file, to_yaml(tree, header)), *deepspeed_files(plan), script, ranks]
